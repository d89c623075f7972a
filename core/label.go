package core

import (
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"
)

// track is the live form of [Track]: its switch.
type track struct {
	name   string
	hashed uint64
	off    atomic.Bool
	// over stands for the track's labels over Limits.MaxSites, which are switched with the track. Nil if there are none.
	over atomic.Pointer[Label]
}

func (t *track) hash() uint64            { return t.hashed }
func (t *track) matches(key string) bool { return t.name == key }

// site is an interned [Site].
type site struct {
	Site
	hashed   uint64
	overflow bool
	rank     int // see treeOrder
}

func (s *site) hash() uint64          { return s.hashed }
func (s *site) matches(key Site) bool { return s.Site == key }

// Label is an interned [Site] whose source location may still be open: what is known of a span at its end, while the
// location of its start is kept apart. Get one from [Aggregator.Label] and keep it: with it, an
// end needs no hashing of strings.
type Label struct {
	// What every end reads comes first, to be in one cache line.
	state *state
	track *track
	// first is the first pair of location and site: nearly every label has one call site.
	first atomic.Pointer[located]
	// bare is the site without a location, top its node as a root. They are made when first asked for.
	bare atomic.Pointer[site]
	top  atomic.Pointer[node]
	// over: the label stands for those over Limits.MaxSites, and key is OverflowSite.
	over   bool
	hashed uint64
	key    Site
	places table[*Location, located, *located]
}

func (l *Label) hash() uint64          { return l.hashed }
func (l *Label) matches(key Site) bool { return l.key == key }

// Overflow reports whether the label stands for sites over Limits.MaxSites, which may have room after a Clear. Do not
// keep such a label.
func (l *Label) Overflow() bool { return l.over }

// located is the site of a label at one location.
type located struct {
	at   *Location
	site *site
}

func (l *located) hash() uint64 {
	return uint64(uintptr(unsafe.Pointer(l.at))) * 0x9E3779B97F4A7C15 >> 20
}

func (l *located) matches(key *Location) bool { return l.at == key }

// at returns the site of the label when started at a location, nil for unknown.
func (l *Label) at(place *Location) *site {
	if first := l.first.Load(); first != nil && first.at == place {
		return first.site
	}
	if place == nil || l.over || l.key.Function != "" || l.key.File != "" {
		return l.unlocated()
	}
	probe := located{at: place}
	found := l.places.find(probe.hash(), place)
	if found == nil {
		found = l.places.findOrAdd(probe.hash(), place, 0, func() *located {
			key := l.key
			key.Function, key.File, key.Line = place.Function, place.File, place.Line
			return &located{place, l.state.site(l.state.clean(key))}
		})
		l.first.CompareAndSwap(nil, found)
	}
	return found.site
}

func (l *Label) unlocated() *site {
	if s := l.bare.Load(); s != nil {
		return s
	}
	s := l.state.site(l.key)
	l.bare.Store(s)
	return s
}

// root returns the node of the label's site without a location as a root of the call tree.
func (l *Label) root() *node {
	if n := l.top.Load(); n != nil {
		return n
	}
	n := l.state.child(&l.state.root, l.unlocated())
	l.top.Store(n)
	return n
}

// state is everything an Aggregator has learned since it was made or cleared.
type state struct {
	agg    *Aggregator
	seed   maphash.Seed
	tracks table[string, track, *track]
	labels table[Site, Label, *Label]
	sites  table[Site, site, *site]
	root   node
	nodes  atomic.Int64
	// overflowSite receives the sites over MaxSites; overflow is the branch of the tree for paths over MaxNodes.
	overflowSite *site
	overflow     *node
	// strange and unwanted stand for the labels over MaxSites of tracks that are not in the table, nor get there that
	// way: it would grow without bound. Those of unwanted are off.
	strange, unwanted *Label
	truncated         atomic.Uint64
	started           atomic.Int64
	// order is that of the last snapshot. It is used under the lock of snapshots only.
	order treeOrder
}

func newState(a *Aggregator, now int64) *state {
	st := &state{agg: a, seed: maphash.MakeSeed()}
	st.started.Store(now)
	st.overflowSite = &site{Site: OverflowSite, hashed: maphash.Comparable(st.seed, OverflowSite), overflow: true}
	st.strange, st.unwanted = st.labelOver(&track{}), st.labelOver(&track{})
	st.unwanted.track.off.Store(true)
	st.overflow = st.newNode(st.overflowSite, &st.root, true)
	return st
}

// track returns the track with the name. Their number follows that of sites and of switches set.
func (st *state) track(name string) *track {
	h := maphash.String(st.seed, name)
	if t := st.tracks.find(h, name); t != nil {
		return t
	}
	return st.tracks.findOrAdd(h, name, 0, func() *track {
		t := &track{name: name, hashed: h}
		t.off.Store(st.disabled(name))
		return t
	})
}

// disabled reports whether a track is off at first.
func (st *state) disabled(name string) bool {
	disabled := st.agg.config.Disabled
	return disabled != nil && disabled(name)
}

// site interns a site whose strings are clean.
func (st *state) site(key Site) *site {
	if key == OverflowSite {
		return st.overflowSite
	}
	h := maphash.Comparable(st.seed, key)
	if s := st.sites.find(h, key); s != nil {
		return s
	}
	s := st.sites.findOrAdd(h, key, st.agg.config.Limits.MaxSites, func() *site {
		return &site{Site: key, hashed: h}
	})
	if s == nil {
		return st.overflowSite
	}
	return s
}

// label interns a label.
func (st *state) label(key Site) *Label {
	key = st.clean(key)
	h := maphash.Comparable(st.seed, key)
	if l := st.labels.find(h, key); l != nil {
		return l
	}
	l := st.labels.findOrAdd(h, key, st.agg.config.Limits.MaxSites, func() *Label {
		key = cloneStrings(key)
		return &Label{key: key, hashed: h, state: st, track: st.track(key.Track)}
	})
	if l == nil {
		return st.over(key.Track)
	}
	return l
}

// over returns the label that stands for those of a track over MaxSites.
func (st *state) over(name string) *Label {
	t := st.tracks.find(maphash.String(st.seed, name), name)
	if t == nil {
		if st.disabled(name) {
			return st.unwanted
		}
		return st.strange
	}
	if l := t.over.Load(); l != nil {
		return l
	}
	t.over.CompareAndSwap(nil, st.labelOver(t))
	return t.over.Load()
}

func (st *state) labelOver(t *track) *Label {
	return &Label{key: OverflowSite, state: st, track: t, over: true}
}

// in returns the label in a state, which is another one after a Clear. It is small enough to be inlined.
func (l *Label) in(st *state) *Label {
	if l.state == st {
		return l
	}
	return l.anew(st)
}

func (l *Label) anew(st *state) *Label {
	switch {
	case l == l.state.strange:
		return st.strange
	case l == l.state.unwanted:
		return st.unwanted
	case l.over:
		return st.over(l.track.name)
	}
	return st.label(l.key)
}

// clean cuts and mends the strings of a site and drops a line that is none.
func (st *state) clean(s Site) Site {
	for _, p := range s.texts() {
		if len(*p) > st.agg.config.Limits.MaxName || !utf8.ValidString(*p) {
			*p = cleanName(*p, st.agg.config.Limits.MaxName)
			st.truncated.Add(1)
		}
	}
	if s.Line < 0 || s.Line > math.MaxInt32 {
		s.Line = 0
	}
	return s
}

// cleanName returns at most limit bytes of valid UTF-8.
func cleanName(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		// Do not leave half a character at the cut: an encoding has at most four bytes.
		for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
			if r := s[len(s)-i]; utf8.RuneStart(r) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > limit {
		return cleanName(s, limit)
	}
	return s
}

// cloneStrings copies the strings, so that a short name cannot keep a large buffer of the user's alive.
func cloneStrings(s Site) Site {
	for _, p := range s.texts() {
		*p = strings.Clone(*p)
	}
	return s
}

// child returns the node of a site below parent, creating it within the limits.
func (st *state) child(parent *node, s *site) *node {
	if n := parent.child(s); n != nil {
		return n
	}
	limits := &st.agg.config.Limits
	switch {
	case s.overflow && (parent == &st.root || parent.overflow):
		return st.overflow
	case parent.overflow && parent != st.overflow:
		return st.child(st.overflow, s)
	case !parent.overflow && (int(parent.depth) >= limits.MaxDepth || st.nodes.Load() >= int64(limits.MaxNodes)):
		return st.child(st.overflow, s)
	}
	n := parent.children.findOrAdd(s.hashed, s, 0, func() *node {
		if !parent.overflow && st.nodes.Add(1) > int64(limits.MaxNodes) {
			st.nodes.Add(-1)
			return nil
		}
		return st.newNode(s, parent, parent.overflow)
	})
	if n == nil {
		return st.child(st.overflow, s)
	}
	parent.first.CompareAndSwap(nil, n)
	return n
}

func (st *state) newNode(s *site, parent *node, overflow bool) *node {
	n := &node{site: s, parent: parent, depth: parent.depth + 1, overflow: overflow}
	if st.agg.config.SelfHistograms {
		n.stripe.keepSelfTimes()
	}
	return n
}
