package core

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// event is one observation of the naive profile with which these tests compare the real one.
type event struct {
	path     []Site
	start    int64
	duration uint64
	self     uint64
	critical uint64
	more     uint64 // spans that this one stands for besides itself, in 1024ths
	bytes    uint64
	failed   bool
	pending  bool
	exemplar Exemplar // zero for a block without a span
	// selfKept: the profile has a histogram of self times.
	selfKept bool
}

// naive is a profile as a list of everything that ever happened.
type naive struct {
	name     string
	from, to int64 // seconds, see moment
	disabled []string
	counters Counters
	events   []event
	active   []event // only path is used
	// selfTimes: all events are to be selfKept.
	selfTimes bool
}

// snapshot computes everything from the list, without any code of merging or of trees.
func (p *naive) snapshot() *Snapshot {
	s := &Snapshot{
		Names: []string{p.name}, Start: moment(p.from), End: moment(p.to),
		DisabledTracks: p.disabled, Counters: p.counters,
	}
	bySite := map[Site][]event{}
	for _, e := range slices.Concat(p.events, p.active) {
		for _, site := range e.path {
			bySite[site] = append(bySite[site], []event{}...)
		}
	}
	for _, e := range p.events {
		site := e.path[len(e.path)-1]
		bySite[site] = append(bySite[site], e)
	}
	for site, events := range bySite {
		b := Block{Site: site, Stats: naiveStats(events)}
		for _, e := range events {
			if e.pending {
				b.Pending++
			}
		}
		for _, e := range p.active {
			if e.path[len(e.path)-1] == site {
				b.Stats.Active++
			}
		}
		s.Blocks = append(s.Blocks, b)
	}
	slices.SortFunc(s.Blocks, func(a, b Block) int { return a.Site.Compare(b.Site) })
	p.addNodes(s, -1, nil)
	return s
}

// addNodes appends the nodes below the node with the index parent, whose path is prefix.
func (p *naive) addNodes(s *Snapshot, parent int, prefix []Site) {
	for i, b := range s.Blocks {
		path := append(slices.Clone(prefix), b.Site)
		exists, n := false, Node{Parent: parent, Block: i}
		var events []event
		for _, e := range p.events {
			if !e.pending && len(e.path) >= len(path) && slices.Equal(e.path[:len(path)], path) {
				exists = true
				if len(e.path) == len(path) {
					events = append(events, e)
				}
			}
		}
		n.Stats = naiveStats(events)
		for _, e := range p.active {
			if len(e.path) >= len(path) && slices.Equal(e.path[:len(path)], path) {
				exists = true
				if len(e.path) == len(path) {
					n.Stats.Active++
				}
			}
		}
		if exists {
			s.Nodes = append(s.Nodes, n)
			p.addNodes(s, len(s.Nodes)-1, path)
		}
	}
}

func naiveStats(events []event) Stats {
	var s Stats
	squares := new(big.Int)
	var durations, selfTimes []uint64
	var slowest, failed []Exemplar
	for i, e := range events {
		end := e.start + int64(e.duration)
		if i == 0 {
			s.Min, s.First, s.Last = math.MaxUint64, math.MaxInt64, math.MinInt64
		}
		s.Count++
		s.Total += e.duration
		s.Self += e.self
		s.Critical += e.critical
		s.Unsampled += e.more
		s.Bytes += e.bytes
		s.Min, s.Max = min(s.Min, e.duration), max(s.Max, e.duration)
		s.First, s.Last = min(s.First, e.start), max(s.Last, end)
		d := new(big.Int).SetUint64(e.duration)
		squares.Add(squares, d.Mul(d, d))
		durations = append(durations, e.duration)
		if e.selfKept {
			selfTimes = append(selfTimes, e.self)
		}
		if e.failed {
			s.Errors++
		}
		if !e.exemplar.IsZero() {
			slowest = append(slowest, e.exemplar)
			if e.failed {
				failed = append(failed, e.exemplar)
			}
		}
	}
	if err := s.SumSquares.UnmarshalText([]byte(squares.String())); err != nil {
		panic(err)
	}
	s.Histogram = countedOneByOne(durations)
	if len(events) > 0 && len(selfTimes) == len(events) {
		s.SelfHistogram = new(countedOneByOne(selfTimes))
	}
	s.Slowest = greatest(slowest, func(e Exemplar) string { return fmt.Sprintf("%020d %020d", e.Duration, e.Time) })
	s.LastError = greatest(failed, func(e Exemplar) string { return fmt.Sprintf("%020d %020d", e.Time, e.Duration) })
	return s
}

// countedOneByOne returns the histogram of the durations.
func countedOneByOne(durations []uint64) (h Histogram) {
	counts := map[int32]uint64{}
	for _, d := range durations {
		if d == 0 {
			h.Zero++
		} else {
			counts[int32(BucketIndex(d))]++
		}
	}
	for index, n := range counts {
		h.sparse = append(h.sparse, Bucket{index, n})
	}
	slices.SortFunc(h.sparse, func(a, b Bucket) int { return cmp.Compare(a.Index, b.Index) })
	return h
}

func greatest(list []Exemplar, key func(Exemplar) string) Exemplar {
	best, bestKey := Exemplar{}, ""
	for _, e := range list {
		if k := fmt.Sprintf("%s %s %s %v", key(e), e.Trace, e.Span, e.Sampled); k > bestKey {
			best, bestKey = e, k
		}
	}
	return best
}

// awkward are names that some format or other trips over.
var awkward = []string{
	"", "GET /users/{id}", "a;b\nc", "=1+1", "\u202eright to left", "\x00\x1b[31m", "ünïcödé 🦩", "\"quoted\" <b>&amp;",
	"kind(3)", strings.Repeat("long ", 200), OverflowName,
}

// randomSites returns n different sites of few tracks.
func randomSites(r *rand.Rand, n int) []Site {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	var sites []Site
	for len(sites) < n {
		s := Site{Service: pick([]string{"", "", "cart"}), Track: pick([]string{"http", "sql", "", "träck;"}), Name: pick(awkward), Kind: Kind(r.IntN(8))}
		if r.IntN(2) == 0 {
			s.Function, s.File, s.Line = pick(awkward), pick(awkward), r.IntN(2)*r.IntN(math.MaxInt32)
		}
		if !slices.Contains(sites, s) {
			sites = append(sites, s)
		}
	}
	return sites
}

// randomDuration returns a duration from 0 to hours, with ties.
func randomDuration(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0:
		return uint64(r.IntN(3))
	case 1:
		return 1_000_000
	}
	return r.Uint64() >> (20 + r.IntN(44))
}

// randomEvents returns n observations on few paths in the given second.
func randomEvents(r *rand.Rand, sites []Site, n int, second int64) []event {
	events := make([]event, n)
	for i := range events {
		e := &events[i]
		for range 1 + r.IntN(4) {
			e.path = append(e.path, sites[r.IntN(len(sites))])
		}
		e.start = moment(second).UnixNano() + r.Int64N(1e9)
		e.duration = randomDuration(r)
		e.self = r.Uint64N(e.duration + 1)
		e.critical = uint64(r.IntN(2)) * r.Uint64N(e.duration+1)
		e.more = uint64(r.IntN(2) * r.IntN(4096))
		e.bytes = uint64(r.IntN(3) * r.IntN(1000))
		e.failed = r.IntN(3) == 0
		e.pending = r.IntN(10) == 0
		if r.IntN(5) > 0 {
			e.exemplar = Exemplar{Duration: e.duration, Time: e.start + int64(e.duration), Sampled: r.IntN(2) == 0}
			e.exemplar.Trace[r.IntN(16)], e.exemplar.Span[r.IntN(8)] = byte(1+r.IntN(255)), byte(1+r.IntN(255))
		}
	}
	return events
}

// randomProfile returns a profile with about size observations.
func randomProfile(r *rand.Rand, size int) *naive {
	sites := randomSites(r, 1+r.IntN(8))
	p := &naive{
		name: []string{"shop", "cart", "", "pay\nments"}[r.IntN(4)],
		from: r.Int64N(100), to: 100 + r.Int64N(100),
		disabled: []string{"", "http", "sql"}[r.IntN(3) : 2+r.IntN(2)],
		events:   randomEvents(r, sites, r.IntN(size+1), 50),
		active:   randomEvents(r, sites, r.IntN(4), 0),
	}
	p.counters.each(&p.counters, func(n *uint64, _ uint64) { *n = r.Uint64() >> (1 + r.IntN(63)) })
	p.selfTimes = r.IntN(2) == 0
	keepSelfTimes(p.events, p.selfTimes)
	return p
}

func keepSelfTimes(events []event, on bool) {
	for i := range events {
		events[i].selfKept = on
	}
}

// randomSnapshot returns a valid snapshot.
func randomSnapshot(r *rand.Rand, size int) *Snapshot { return randomProfile(r, size).snapshot() }

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestRandomSnapshotsHoldTheInvariants(t *testing.T) {
	for seed := range uint64(200) {
		checkInvariants(t, randomSnapshot(newRand(seed), 40))
	}
}
