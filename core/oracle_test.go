package core

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// oracle is the aggregator as one would write it without a thought of cost: it keeps every span for good and works
// everything out from that when asked. It has no limits.
type oracle struct {
	live    map[TraceID]*oracleTrace
	counted []*oracleSpan // in the tree
	off     map[string]bool
	// selfTimes: histograms of self times are wanted.
	selfTimes bool
	counters  Counters
	ticks     int // orders all starts and ends
}

// oracleTrace is a trace from its first open span until none is open.
type oracleTrace struct {
	spans []*oracleSpan
	open  int
}

type oracleSpan struct {
	life           *oracleTrace
	trace          TraceID
	id             SpanID
	parent         *oracleSpan
	place          *Location
	opened, closed int // ticks; closed is 0 while open
	name           Site
	nameless       bool // Describe knows nothing of it
	begin          int64

	start, end      int64
	bytes           uint64
	exemplar        SpanID
	failed, sampled bool
	hidden          bool // its track was off when it ended, or it was discarded
	forgotten       bool // counted before the last reset
	selfTime        uint64
	path            []Site
}

func newOracle() *oracle {
	return &oracle{live: map[TraceID]*oracleTrace{}, off: map[string]bool{}}
}

// open follows Aggregator.Open, after which o holds the ids that were made up.
func (m *oracle) open(o *Opening, name Site, begin int64) *oracleSpan {
	m.ticks++
	t := m.live[o.Trace]
	if t == nil {
		t = &oracleTrace{}
		m.live[o.Trace] = t
	}
	s := &oracleSpan{life: t, trace: o.Trace, id: o.Span, place: o.Place, opened: m.ticks, name: name, begin: begin}
	if o.Parent != (SpanID{}) {
		if s.parent = t.find(o.Parent); s.parent == nil {
			m.counters.Detached++
		}
	}
	t.spans = append(t.spans, s)
	t.open++
	return s
}

func (t *oracleTrace) find(id SpanID) *oracleSpan {
	for _, s := range t.spans {
		if s.id == id {
			return s
		}
	}
	return nil
}

// fill sets what the end of a span tells.
func (m *oracle) fill(s *oracleSpan, c *Closing, final Site) {
	m.ticks++
	s.closed, s.name = m.ticks, final
	s.hidden = c.Discard || m.off[final.Track]
	s.start = max(min(c.Start, maxMoment), -maxMoment)
	s.end = s.start + max(min(c.Duration, maxMoment), 0)
	if c.Duration < 0 && !s.hidden {
		m.counters.Clamped++
	}
	s.bytes += c.Bytes
	s.exemplar, s.failed, s.sampled = c.Exemplar, c.Failed, c.Sampled
}

func (m *oracle) close(s *oracleSpan, c *Closing, final Site) {
	m.fill(s, c, final)
	if s.life.open--; s.life.open > 0 {
		return
	}
	for _, s := range s.life.spans {
		if !s.hidden && !s.forgotten {
			s.selfTime, s.path = s.self(), s.ancestry()
			m.counted = append(m.counted, s)
		}
	}
	delete(m.live, s.trace)
}

// root counts what has no record as a root of the tree.
func (m *oracle) root(c *Closing, final Site) {
	s := &oracleSpan{life: &oracleTrace{}, trace: c.Trace}
	if m.fill(s, c, final); !s.hidden {
		s.selfTime, s.path = uint64(s.end-s.start), []Site{s.site()}
		m.counted = append(m.counted, s)
	}
}

// reset follows Take, Reset and, without limits, Clear.
func (m *oracle) reset() {
	for _, t := range m.live {
		for _, s := range t.spans {
			s.forgotten = s.forgotten || s.closed > 0
		}
	}
	m.counted, m.counters = nil, Counters{}
}

func (s *oracleSpan) site() Site {
	site := s.name
	if site.Function == "" && site.File == "" && s.place != nil {
		site.Function, site.File, site.Line = s.place.Function, s.place.File, s.place.Line
	}
	return site
}

// around returns the nearest ancestor that is in the profile.
func (s *oracleSpan) around() *oracleSpan {
	p := s.parent
	for p != nil && p.hidden {
		p = p.parent
	}
	return p
}

func (s *oracleSpan) ancestry() []Site {
	var path []Site
	for p := s; p != nil; p = p.around() {
		path = append(path, p.site())
	}
	slices.Reverse(path)
	return path
}

// self is the time that no child covers: what is left of the span's own after the union of theirs is taken away. A
// child that is still open covers all from its start on, or if that is not known, from its parent's.
func (s *oracleSpan) self() uint64 {
	var children []period
	for _, c := range s.life.spans {
		switch {
		case c.hidden || c.around() != s || c.opened > s.closed:
		case c.closed > 0:
			children = append(children, period{c.start, c.end})
		case c.nameless:
			children = append(children, period{c.parent.start, math.MaxInt64})
		default:
			children = append(children, period{c.begin, math.MaxInt64})
		}
	}
	slices.SortFunc(children, func(a, b period) int { return cmp.Compare(a.from, b.from) })
	self, at := uint64(0), s.start
	for _, c := range children {
		if from := min(c.from, s.end); from > at {
			self += uint64(from - at)
		}
		at = max(at, c.to)
	}
	if s.end > at {
		self += uint64(s.end - at)
	}
	return self
}

// oracleProfile is what a snapshot must say.
type oracleProfile struct {
	blocks   map[Site]Block
	nodes    map[string]Stats
	counters Counters
	off      []string
}

func (m *oracle) profile() oracleProfile {
	sites, nodes := map[Site][]*oracleSpan{}, map[string][]*oracleSpan{}
	p := oracleProfile{blocks: map[Site]Block{}, nodes: map[string]Stats{}, counters: m.counters}
	for _, s := range m.counted {
		sites[s.site()] = append(sites[s.site()], s)
		nodes[pathKey(s.path)] = append(nodes[pathKey(s.path)], s)
		for i := range s.path { // everything on a path is shown, at least empty
			sites[s.path[i]] = slices.Clip(sites[s.path[i]])
			nodes[pathKey(s.path[:i+1])] = slices.Clip(nodes[pathKey(s.path[:i+1])])
		}
	}
	pending, active := map[Site]int64{}, map[Site]int64{}
	for _, t := range m.live {
		for _, s := range t.spans {
			switch {
			case s.closed == 0 && !s.nameless && !m.off[s.name.Track]:
				active[s.site()]++
				sites[s.site()] = slices.Clip(sites[s.site()])
			case s.closed > 0 && !s.hidden && !s.forgotten:
				s.selfTime = s.self()
				pending[s.site()]++
				sites[s.site()] = append(sites[s.site()], s)
			}
		}
	}
	for site, spans := range sites {
		b := Block{Site: site, Stats: m.stats(spans), Pending: pending[site]}
		b.Stats.Active = active[site]
		p.blocks[site] = b
		p.counters.Spans += b.Stats.Count
	}
	for path, spans := range nodes {
		p.nodes[path] = m.stats(spans)
	}
	for track, off := range m.off {
		if off {
			p.off = append(p.off, track)
		}
	}
	slices.Sort(p.off)
	return p
}

func pathKey(path []Site) string {
	var b strings.Builder
	for _, s := range path {
		fmt.Fprintf(&b, "> %q ", s)
	}
	return b.String()
}

// stats adds up with numbers of any size and cuts the result.
func (m *oracle) stats(spans []*oracleSpan) Stats {
	var s Stats
	total, self, squares, bytes := new(big.Int), new(big.Int), new(big.Int), new(big.Int)
	var durations, selfTimes []uint64
	for i, x := range spans {
		d := uint64(x.end - x.start)
		big := new(big.Int).SetUint64(d)
		total.Add(total, big)
		squares.Add(squares, big.Mul(big, big))
		self.Add(self, big.SetUint64(x.selfTime))
		bytes.Add(bytes, big.SetUint64(x.bytes))
		if i == 0 {
			s.Min, s.First, s.Last = d, x.start, x.end
		}
		s.Count++
		s.Min, s.Max = min(s.Min, d), max(s.Max, d)
		s.First, s.Last = min(s.First, x.start), max(s.Last, x.end)
		durations, selfTimes = append(durations, d), append(selfTimes, x.selfTime)
		var e Exemplar
		if x.exemplar != (SpanID{}) {
			e = Exemplar{Trace: x.trace, Span: x.exemplar, Duration: d, Time: x.end, Sampled: x.sampled}
		}
		s.Slowest = slower(s.Slowest, e)
		if x.failed {
			s.Errors++
			s.LastError = later(s.LastError, e)
		}
	}
	s.Total, s.Self, s.Bytes = saturated(total, 64).Lo, saturated(self, 64).Lo, saturated(bytes, 64).Lo
	s.SumSquares = saturated(squares, 128)
	s.Histogram = countedOneByOne(durations)
	if m.selfTimes && len(spans) > 0 {
		s.SelfHistogram = new(countedOneByOne(selfTimes))
	}
	return s
}

func saturated(n *big.Int, width uint) Uint128 {
	if n.BitLen() > int(width) {
		n = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), width), big.NewInt(1))
	}
	return Uint128{new(big.Int).Rsh(n, 64).Uint64(), new(big.Int).And(n, maxUint64).Uint64()}
}

// flat returns a snapshot in the oracle's terms.
func flat(s *Snapshot) oracleProfile {
	p := oracleProfile{blocks: map[Site]Block{}, nodes: map[string]Stats{}, counters: s.Counters, off: s.DisabledTracks}
	for _, b := range s.Blocks {
		p.blocks[b.Site] = plainBlock(b)
	}
	for i, n := range s.Nodes {
		p.nodes[pathKey(s.Path(i))] = plainStats(n.Stats)
	}
	return p
}

func plainBlock(b Block) Block {
	b.Stats = plainStats(b.Stats)
	return b
}

// plainStats makes equal what says the same.
func plainStats(s Stats) Stats {
	s.Histogram = plainHistogram(s.Histogram)
	if s.SelfHistogram != nil {
		s.SelfHistogram = new(plainHistogram(*s.SelfHistogram))
	}
	return s
}

func plainHistogram(h Histogram) Histogram {
	return NewHistogram(h.Zero, append([]Bucket(nil), h.Buckets()...))
}

// checkSums checks that the blocks are the sums of their nodes, but for what is pending, and the counters those of the
// blocks and nodes.
func checkSums(t testing.TB, s *Snapshot) {
	t.Helper()
	require.NoError(t, s.Validate())
	sums := make([]Stats, len(s.Blocks))
	var spans, overflowed uint64
	for i, n := range s.Nodes {
		require.Zero(t, n.Stats.Active, "active is counted in blocks only")
		sums[n.Block] = sums[n.Block].Merge(n.Stats)
		if path := s.Path(i); path[0] == OverflowSite && len(path) > 1 {
			overflowed += n.Stats.Count
		}
	}
	for i, b := range s.Blocks {
		spans += b.Stats.Count
		if b.Site == OverflowSite {
			require.Equal(t, b.Stats.Count, s.Counters.OverflowSites)
		}
		require.GreaterOrEqual(t, b.Pending, int64(0), b.Site)
		b.Stats.Active = 0
		if b.Pending == 0 {
			require.Equal(t, plainStats(b.Stats), plainStats(sums[i]), "block %v is not the sum of its nodes", b.Site)
		} else {
			require.Equal(t, b.Stats.Count, sums[i].Count+uint64(b.Pending), b.Site)
			require.LessOrEqual(t, sums[i].Total, b.Stats.Total, b.Site)
		}
	}
	require.Equal(t, spans, s.Counters.Spans)
	require.Equal(t, overflowed, s.Counters.OverflowNodes)
}
