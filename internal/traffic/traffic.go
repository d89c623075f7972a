// Package traffic makes the profiles of services that do not exist, for tests and benchmarks of what handles profiles:
// they have as many paths and as many calls as are asked for, and depend on nothing but that.
package traffic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// Shape is what a service does in a minute.
type Shape struct {
	// Nodes is how many paths its call tree has. There are up to 50 entry points, and a site for every 30 paths.
	Nodes int
	// Spans is how many spans there are at least, over all paths. Every path is taken at least once.
	Spans int
	// Rare is how rare the rarest calls are: that of a child by its parent happens with a probability of 2^-x, where x
	// is even from 0 to Rare.
	Rare float64
	// Spread is the standard deviation of the binary logarithm of the durations at one path without its children;
	// their medians are even on the logarithm, from 1 µs to 4 ms. One call in 50 takes up to 100 times as long.
	Spread float64
	// Sampled is the share of the traces that is sampled. One call in 300 fails.
	Sampled float64
}

// Start is when the minute begins.
var Start = time.Unix(1_700_000_000, 0).UTC()

const (
	minute      = int64(time.Minute)
	entries     = 50
	pathsOfSite = 30
	maxDepth    = 10
	maxChildren = 12
)

// Profile returns the profile of the minute.
func Profile(s Shape) *core.Snapshot {
	v := &service{shape: s, random: rand.New(rand.NewPCG(uint64(s.Nodes), uint64(s.Spans)))}
	var err error
	if v.Aggregator, err = core.New(core.Config{Name: "service"}); err != nil {
		panic(err)
	}
	v.plan()
	for i := len(v.paths) - 1; i >= 0; i-- { // the leaves first: they have all others above them
		v.visit(i)
	}
	for v.spans < s.Spans {
		v.trace(v.entry(), v.happens)
	}
	out := v.Snapshot()
	out.Start, out.End = Start, Start.Add(time.Minute)
	return out
}

// path is a node of the call tree as it is planned.
type path struct {
	label *core.Label
	// parent is -1 for an entry point.
	parent   int
	depth    int
	children []int
	// odds is how probable it is that the parent calls it.
	odds float64
	// median is the binary logarithm of the median of its durations in ns.
	median float64
}

type service struct {
	*core.Aggregator
	shape  Shape
	random *rand.Rand
	paths  []path
	// entries is how many of the paths are entry points: the first ones.
	entries int
	// spans is how many there were.
	spans int
	// visited are the paths that a trace was made for.
	visited []bool
}

// plan makes the paths, each below a random one that is planned already.
func (v *service) plan() {
	v.visited = make([]bool, v.shape.Nodes)
	labels := make([]*core.Label, max(v.shape.Nodes/pathsOfSite, maxChildren+1))
	for i := range labels {
		pkg := fmt.Sprintf("internal/package%d", i%12)
		labels[i] = v.Label(core.Site{
			Track: "github.com/example/shop/" + pkg, Name: fmt.Sprintf("operation %d of %d", i, i%7), Kind: core.Kind(1 + i%3),
			Function: fmt.Sprintf("github.com/example/shop/%s.(*Service).Method%d", pkg, i),
			File:     "/src/shop/" + pkg + "/service.go", Line: 10 + i,
		})
	}
	v.entries = min(entries, len(labels), v.shape.Nodes)
	for i := range v.shape.Nodes {
		p := path{label: labels[i%len(labels)], parent: -1, median: 10 + 12*v.random.Float64()}
		if i >= v.entries {
			p.parent = v.parentFor(i)
			above := &v.paths[p.parent]
			p.depth, p.odds = above.depth+1, math.Exp2(-v.shape.Rare*v.random.Float64())
			p.label = v.another(labels, above)
			above.children = append(above.children, i)
		}
		v.paths = append(v.paths, p)
	}
}

func (v *service) parentFor(i int) int {
	for {
		if parent := v.random.IntN(i); v.paths[parent].depth < maxDepth-1 && len(v.paths[parent].children) < maxChildren {
			return parent
		}
	}
}

// another returns a site that is not yet below a path.
func (v *service) another(labels []*core.Label, above *path) *core.Label {
	for {
		label := labels[v.random.IntN(len(labels))]
		known := false
		for _, i := range above.children {
			known = known || v.paths[i].label == label
		}
		if !known {
			return label
		}
	}
}

// entry returns an entry point: the first are the busiest.
func (v *service) entry() int {
	return int(float64(v.entries) * math.Pow(v.random.Float64(), 1.5))
}

// visit makes a trace that takes a path and no other, unless one did before.
func (v *service) visit(i int) {
	if v.visited[i] {
		return
	}
	way, entry := map[int]bool{}, i
	for ; i >= 0; i = v.paths[i].parent {
		way[i], v.visited[i], entry = true, true, i
	}
	v.trace(entry, func(child int) bool { return way[child] })
}

func (v *service) happens(child int) bool { return v.random.Float64() < v.paths[child].odds }

// trace makes a trace that begins at an entry point; calls decides whom it calls.
func (v *service) trace(entry int, calls func(child int) bool) {
	var o core.Opening
	v.id(o.Trace[:])
	done := min(float64(v.spans)/float64(max(v.shape.Spans, 1)), 1)
	now := Start.UnixNano() + int64(done*float64(minute))
	v.call(entry, &o, now, v.random.Float64() < v.shape.Sampled, calls)
}

// call makes the span of a path and those below it, and returns its duration.
func (v *service) call(i int, o *core.Opening, now int64, sampled bool, calls func(child int) bool) int64 {
	v.spans++
	v.id(o.Span[:])
	v.Open(o)
	p := &v.paths[i]
	took := int64(math.Exp2(p.median + v.shape.Spread*v.random.NormFloat64()))
	if v.random.IntN(50) == 0 {
		took *= 1 + v.random.Int64N(100)
	}
	for _, child := range p.children {
		if calls(child) {
			took += v.call(child, &core.Opening{Trace: o.Trace, Parent: o.Span}, now+took, sampled, calls)
		}
	}
	v.Close(&core.Closing{
		Trace: o.Trace, Span: o.Span, Exemplar: o.Span, Label: p.label, Start: now, Duration: took,
		Failed: v.random.IntN(300) == 0, Sampled: sampled,
	})
	return took
}

func (v *service) id(b []byte) {
	for i := range b {
		b[i] = byte(v.random.IntN(256))
	}
}
