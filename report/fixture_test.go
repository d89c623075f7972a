package report_test

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// epoch is the start of every profile in these tests.
var epoch = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

// profile builds snapshots in the slow and obvious way: one merge per observation.
type profile struct {
	names    []string
	root     branch
	pending  map[core.Site]core.Stats
	active   map[core.Site]int64
	disabled []string
	counters core.Counters
}

type branch struct {
	stats    core.Stats
	children map[core.Site]*branch
}

// observation is one span or block.
type observation struct {
	duration, self uint64
	critical       uint64
	failed         bool
	bytes          uint64
	// id makes the span an exemplar if it is not 0.
	id      byte
	sampled bool
}

func newProfile(names ...string) *profile {
	return &profile{names: names, pending: map[core.Site]core.Stats{}, active: map[core.Site]int64{}}
}

func (p *profile) record(o observation, path ...core.Site) {
	b := &p.root
	for _, s := range path {
		if b.children == nil {
			b.children = map[core.Site]*branch{}
		}
		if b.children[s] == nil {
			b.children[s] = &branch{}
		}
		b = b.children[s]
	}
	b.stats = b.stats.Merge(o.stats())
	p.counters.Spans++
}

func (p *profile) recordPending(o observation, s core.Site) {
	p.pending[s] = p.pending[s].Merge(o.stats())
	p.counters.Spans++
}

func (o observation) stats() core.Stats {
	start := epoch.UnixNano()
	end := start + int64(min(o.duration, math.MaxInt64-uint64(start)))
	s := core.Stats{Count: 1, Total: o.duration, Self: o.self, Critical: o.critical, Min: o.duration, Max: o.duration, Bytes: o.bytes, First: start, Last: end}
	s.SumSquares.Hi, s.SumSquares.Lo = bits.Mul64(o.duration, o.duration)
	if o.duration == 0 {
		s.Histogram.Zero = 1
	} else {
		s.Histogram = core.NewHistogram(0, []core.Bucket{{Index: int32(core.BucketIndex(o.duration)), Count: 1}})
	}
	exemplar := core.Exemplar{Trace: core.TraceID{15: o.id}, Span: core.SpanID{7: o.id}, Duration: o.duration, Time: end, Sampled: o.sampled}
	if o.id != 0 {
		s.Slowest = exemplar
	}
	if o.failed {
		s.Errors, s.LastError = 1, exemplar
	}
	return s
}

func (p *profile) snapshot() *core.Snapshot {
	s := &core.Snapshot{Names: p.names, Start: epoch, End: epoch.Add(10 * time.Second), DisabledTracks: p.disabled, Counters: p.counters}
	blocks := map[core.Site]*core.Block{}
	block := func(site core.Site) *core.Block {
		if blocks[site] == nil {
			blocks[site] = &core.Block{Site: site}
		}
		return blocks[site]
	}
	p.root.each(func(site core.Site, stats core.Stats) { b := block(site); b.Stats = b.Stats.Merge(stats) })
	for site, stats := range p.pending {
		b := block(site)
		b.Stats = b.Stats.Merge(stats)
		b.Pending = int64(stats.Count)
	}
	for site, n := range p.active {
		block(site).Stats.Active = n
	}
	index := map[core.Site]int{}
	for i, site := range sorted(blocks) {
		index[site] = i
		s.Blocks = append(s.Blocks, *blocks[site])
	}
	p.root.appendNodes(s, -1, index)
	return s
}

func (b *branch) each(f func(core.Site, core.Stats)) {
	for site, child := range b.children {
		f(site, child.stats)
		child.each(f)
	}
}

func (b *branch) appendNodes(s *core.Snapshot, parent int, index map[core.Site]int) {
	for _, site := range sorted(b.children) {
		child := b.children[site]
		s.Nodes = append(s.Nodes, core.Node{Parent: parent, Block: index[site], Stats: child.stats})
		child.appendNodes(s, len(s.Nodes)-1, index)
	}
}

func sorted[V any](m map[core.Site]V) []core.Site {
	return slices.SortedFunc(maps.Keys(m), core.Site.Compare)
}

const ms = uint64(time.Millisecond)

// fixtures are the snapshots that every format has to cope with, by name.
var fixtures = sync.OnceValue(func() map[string]*core.Snapshot {
	return map[string]*core.Snapshot{
		"empty": {}, "shop": shop(), "hostile": hostile(), "recursion": recursion(), "overflow": overflow(),
		"services": services(), "saturated": saturated(), "huge": huge(), "deep": deep(500), "large": large(),
	}
})

// shop is an ordinary profile: two routes, a database, a cache, an error, an N+1 query, concurrent children, a
// block with bytes, something pending, something active and a track that is off.
func shop() *core.Snapshot {
	p := newProfile("shop")
	product := core.Site{Track: "otelhttp", Name: "GET /products/{id}", Kind: core.KindServer, Function: "example.com/shop.(*Server).product", File: "/src/shop/server.go", Line: 42}
	checkout := core.Site{Track: "otelhttp", Name: "POST /checkout", Kind: core.KindServer, Function: "example.com/shop.(*Server).checkout", File: "/src/shop/server.go", Line: 77}
	query := core.Site{Track: "otelsql", Name: "SELECT product", Kind: core.KindClient, Function: "example.com/shop.load", File: "/src/shop/store.go", Line: 9}
	cache := core.Site{Track: "cache", Name: "get", Kind: core.KindClient}
	resize := core.Site{Track: "images", Name: "resize", Kind: core.KindBlock, Function: "example.com/shop/images.Resize", File: "/src/shop/images/resize.go", Line: 5}
	for i := range uint64(20) {
		p.record(observation{duration: 5*ms + i*ms/10, self: ms + i*ms/10, id: byte(i + 1), sampled: i%2 == 0}, product)
		p.record(observation{duration: 100_000 + i, self: 100_000 + i}, product, cache)
		for range 3 {
			p.record(observation{duration: ms, self: ms}, product, query)
		}
	}
	for i := range uint64(4) {
		p.record(observation{duration: 12 * ms, self: 2 * ms, failed: i == 3, id: byte(100 + i), sampled: true}, checkout)
		p.record(observation{duration: 10 * ms, self: 10 * ms, failed: i == 3}, checkout, query)
		p.record(observation{duration: 8 * ms, self: 8 * ms, bytes: 1 << 20}, checkout, resize)
	}
	p.recordPending(observation{duration: 3 * ms, self: 3 * ms, failed: true, id: 200}, query)
	p.active[product], p.active[cache] = 2, 1
	p.disabled = []string{"grpc"}
	return p.snapshot()
}

// hostileNames are names that mean something else to a terminal, a spreadsheet, a separator or a parser.
var hostileNames = []string{
	"", " ", ";", "a;b", "a\nb", "a\r\nb", "tab\there", "\x00", "\x1b[31mred\x1b[0m", "\x07", "\x7f", "\u0085", "\u2028",
	"abc\u202Edef", "\u2066x\u2069", "zero\u200bwidth", "soft\u00adhyphen", "\ufeffbom", "no\u00a0break", "\xff\xfe", "cut \xe2\x82", "\ufffd",
	"=1+1", "+1", "-1", "@x", "\t=1+1", "＝1", "'quoted", `say "hi"`, `back\slash`, "comma,comma", "SELECT 1", "SELECT 1.5", "v1.2 ", "7",
	"</script><script>alert(1)</script>", "{}", "%s%d", "世界", "e\u0301", "👩‍💻", "a::b<c>[d](e)", "# EOF", "\U000e0001tag",
}

func hostile() *core.Snapshot {
	p := newProfile("evil\x1b]0;title\x07\n=1", "\xff")
	for i, name := range hostileNames {
		s := core.Site{Track: name, Name: name, Kind: core.Kind(i % 9), Function: name, File: name, Line: i}
		p.record(observation{duration: ms, self: ms}, s)
		p.record(observation{duration: ms / 2, self: ms / 2, failed: true, id: 1}, s, core.Site{Name: name})
		p.recordPending(observation{duration: 1, self: 1}, core.Site{Track: "pending", Name: name})
	}
	p.disabled = []string{"\x1b[2J", "a\nb"}
	return p.snapshot()
}

// services is the profile of a server: two services with a track of the same name, one without, critical paths, and
// hostile names of services.
func services() *core.Snapshot {
	p := newProfile("server")
	checkout := core.Site{Service: "frontend", Track: "otelhttp", Name: "POST /checkout", Kind: core.KindServer}
	call := core.Site{Service: "frontend", Track: "otelhttp", Name: "POST", Kind: core.KindClient}
	add := core.Site{Service: "cart", Track: "otelhttp", Name: "POST /add", Kind: core.KindServer, Function: "example.com/cart.add", File: "/src/cart/add.go", Line: 3}
	render := core.Site{Service: "=cmd;\x1b[31m\u202e", Name: "render"}
	old := core.Site{Track: "otelhttp", Name: "POST /add", Kind: core.KindServer}
	for i := range 5 {
		p.record(observation{duration: 10 * ms, self: 2 * ms, critical: 3 * ms, id: byte(i + 1), sampled: true}, checkout)
		p.record(observation{duration: 7 * ms, self: ms, critical: ms}, checkout, call)
		p.record(observation{duration: 6 * ms, self: 6 * ms, critical: 6 * ms, failed: i == 0}, checkout, call, add)
		p.record(observation{duration: 2 * ms, self: 2 * ms}, checkout, render)
		p.record(observation{duration: ms, self: ms, critical: ms}, old)
	}
	return p.snapshot()
}

// recursion is fib(4) with itself as its own parent.
func recursion() *core.Snapshot {
	p := newProfile("fib")
	fib := core.Site{Track: "math", Name: "fib", Kind: core.KindBlock}
	p.record(observation{duration: 8 * ms, self: ms}, fib)
	p.record(observation{duration: 4 * ms, self: ms}, fib, fib)
	p.record(observation{duration: 3 * ms, self: ms}, fib, fib)
	p.record(observation{duration: 3 * ms, self: 3 * ms}, fib, fib, fib)
	p.record(observation{duration: 2 * ms, self: 2 * ms}, fib, fib, fib)
	return p.snapshot()
}

// overflow has met every limit.
func overflow() *core.Snapshot {
	p := newProfile("full")
	a := core.Site{Track: "app", Name: "a"}
	p.record(observation{duration: ms, self: ms}, a)
	p.record(observation{duration: 2 * ms, self: 2 * ms}, core.OverflowSite)
	p.record(observation{duration: 3 * ms, self: 3 * ms}, a, core.OverflowSite)
	p.record(observation{}, core.Site{Track: "app", Name: "zero"})
	p.counters = core.Counters{
		Spans: 4, OverflowSites: 1, OverflowNodes: 2, Evicted: 3, Unstarted: 4, Detached: 5, Settled: 6, Duplicates: 7,
		Clamped: 8, Truncated: 9, SelfInexact: 10, Panics: 11,
	}
	return p.snapshot()
}

// saturated has every number at its limit.
func saturated() *core.Snapshot {
	p := newProfile("saturated")
	root, child := core.Site{Track: "app", Name: "root"}, core.Site{Track: "app", Name: "child", Line: math.MaxInt}
	for range 2 {
		p.record(observation{duration: math.MaxUint64, self: math.MaxUint64, bytes: math.MaxUint64}, root)
		p.record(observation{duration: math.MaxUint64, self: math.MaxUint64, failed: true}, root, child)
	}
	p.active[child] = math.MinInt64
	s := p.snapshot()
	s.Counters.Spans = math.MaxUint64
	return s
}

// huge has names that are longer than any limit would allow.
func huge() *core.Snapshot {
	p := newProfile(strings.Repeat("n", 10_000))
	p.record(observation{duration: ms, self: ms}, core.Site{
		Track: strings.Repeat("世", 5_000), Name: strings.Repeat("\x1b", 5_000), File: strings.Repeat("dir/", 5_000) + "x.go", Line: 1,
	})
	return p.snapshot()
}

// deep is one chain of n calls.
func deep(n int) *core.Snapshot {
	s := &core.Snapshot{Names: []string{"deep"}, Start: epoch, End: epoch.Add(time.Second)}
	site := core.Site{Track: "app", Name: "down"}
	var sum core.Stats
	for i := range n {
		stats := observation{duration: uint64(n - i), self: 1}.stats()
		sum = sum.Merge(stats)
		s.Nodes = append(s.Nodes, core.Node{Parent: i - 1, Stats: stats})
	}
	s.Blocks = []core.Block{{Site: site, Stats: sum}}
	return s
}

// large has 10 000 nodes over 1 000 sites.
func large() *core.Snapshot {
	p := newProfile("large")
	for i := range 100 {
		root := core.Site{Track: "track" + strconv.Itoa(i%7), Name: "root" + strconv.Itoa(i)}
		p.record(observation{duration: uint64(i+1) * ms, self: uint64(i) * 1000}, root)
		for j := range 99 {
			child := core.Site{Track: "track" + strconv.Itoa(j%7), Name: "child" + strconv.Itoa(j*9+i%9)}
			p.record(observation{duration: uint64(j + 1), self: uint64(j + 1), failed: j == 50}, root, child)
		}
	}
	return p.snapshot()
}
