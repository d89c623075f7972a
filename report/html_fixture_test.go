package report

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// htmlSpan describes one path of an invented program: how often it is called per call of its parent, which share of the
// parent's time it takes, and how widely its durations spread.
type htmlSpan struct {
	site       core.Site
	calls      float64
	share      float64
	spread     float64
	errors     float64
	concurrent bool // its children run at the same time
	children   []htmlSpan
}

var htmlFixtureStart = time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)

const htmlFixtureWindow = 5 * time.Minute

func htmlSite(track, name string, kind core.Kind, file string, line int) core.Site {
	function := "example.com/webshop/" + file[:len(file)-len(".go")]
	return core.Site{Track: track, Name: name, Kind: kind, Function: function, File: "/src/webshop/" + file, Line: line}
}

// htmlWebshop returns the profile of a shop: 12 tracks, some 60 paths, an N+1 query, children that run concurrently, and
// durations with one and with two modes.
func htmlWebshop() *core.Snapshot {
	db := func(name string, line int, calls, share float64) htmlSpan {
		return htmlSpan{site: htmlSite("github.com/XSAM/otelsql", name, core.KindClient, "store/store.go", line),
			calls: calls, share: share, spread: 0.5}
	}
	cache := func(name string, line int, share float64) htmlSpan {
		return htmlSpan{site: htmlSite("shop/cache", name, core.KindClient, "cache/redis.go", line), calls: 1, share: share, spread: 0.8}
	}
	block := func(track, name, file string, line int, calls, share float64, children ...htmlSpan) htmlSpan {
		return htmlSpan{site: htmlSite(track, name, core.KindBlock, file, line), calls: calls, share: share, spread: 0.4, children: children}
	}
	rpc := func(name string, line int, share, errors float64, children ...htmlSpan) htmlSpan {
		return htmlSpan{site: htmlSite("otelgrpc", name, core.KindClient, "clients/grpc.go", line), calls: 1, share: share, spread: 0.9,
			errors: errors, children: children}
	}
	get := func(name string, line int, rate, ms, errors float64, children ...htmlSpan) htmlSpan {
		return htmlSpan{site: htmlSite("otelhttp", name, core.KindServer, "web/routes.go", line),
			calls: rate * htmlFixtureWindow.Seconds(), share: ms * 1e6, spread: 0.6, errors: errors, children: children}
	}
	auth := block("shop/auth", "verify token", "auth/token.go", 41, 1, 0.06, cache("GET session", 22, 0.7))
	price := block("shop/pricing", "price cart", "pricing/cart.go", 88, 1, 0.2,
		block("shop/pricing", "apply discounts", "pricing/rules.go", 120, 1, 0.5), cache("GET tax table", 57, 0.25))
	inventory := rpc("inventory.Stock/Reserve", 71, 0.62, 0.012,
		htmlSpan{site: htmlSite("shop/retry", "attempt", core.KindInternal, "retry/retry.go", 33), calls: 1.1, share: 0.97, spread: 0.9, errors: 0.03})
	payment := rpc("payment.Gateway/Charge", 104, 0.74, 0.02,
		htmlSpan{site: htmlSite("shop/retry", "attempt", core.KindInternal, "retry/retry.go", 33), calls: 1.2, share: 0.98, spread: 1.1, errors: 0.06})
	checkout := get("POST /checkout", 64, 9, 212, 0.021,
		auth, price,
		htmlSpan{site: htmlSite("shop/checkout", "reserve and charge", core.KindInternal, "checkout/flow.go", 57), calls: 1, share: 0.52,
			spread: 0.6, errors: 0.03, concurrent: true, children: []htmlSpan{inventory, payment}},
		block("shop/orders", "save order", "orders/save.go", 29, 0.97, 0.13,
			db("BEGIN", 210, 1, 0.06), db("INSERT orders", 218, 1, 0.3), db("INSERT order_items", 226, 3.4, 0.38), db("COMMIT", 240, 1, 0.18)),
		block("shop/events", "publish order.placed", "events/publish.go", 18, 0.97, 0.05,
			htmlSpan{site: htmlSite("shop/events", "order.placed send", core.KindProducer, "events/kafka.go", 75), calls: 1, share: 0.8, spread: 0.7}))
	products := get("GET /products", 31, 38, 74, 0.001,
		auth,
		block("shop/catalog", "list products", "catalog/list.go", 47, 1, 0.78,
			db("SELECT products", 58, 1, 0.12), db("SELECT price", 66, 24, 0.72), cache("GET ratings", 84, 0.05)), // the N+1
		block("shop/render", "products.html", "render/html.go", 36, 1, 0.1))
	product := get("GET /products/{id}", 36, 61, 18, 0.004,
		auth, cache("GET product", 92, 0.1), db("SELECT product", 74, 0.35, 0.24),
		block("shop/catalog", "related", "catalog/related.go", 22, 1, 0.33, db("SELECT related", 81, 1, 0.7)),
		block("shop/render", "product.html", "render/html.go", 52, 1, 0.16))
	cart := get("GET /cart", 48, 22, 26, 0.002,
		auth, db("SELECT cart", 102, 1, 0.24), price, block("shop/render", "cart.html", "render/html.go", 67, 1, 0.14))
	add := get("POST /cart/items", 52, 14, 14, 0.006,
		auth, db("SELECT stock", 118, 1, 0.3), db("UPSERT cart_item", 131, 1, 0.34), cache("DEL cart", 41, 0.06))
	search := get("GET /search", 41, 17, 96, 0.003,
		auth,
		htmlSpan{site: htmlSite("shop/search", "fan out", core.KindInternal, "search/fanout.go", 63), calls: 1, share: 0.72, spread: 0.5,
			concurrent: true, children: []htmlSpan{
				rpc("search.Index/Query text", 122, 0.8, 0.002), rpc("search.Index/Query vector", 131, 0.93, 0.004),
				rpc("search.Suggest/Complete", 139, 0.35, 0)}},
		block("shop/search", "rank", "search/rank.go", 90, 1, 0.14), block("shop/render", "search.html", "render/html.go", 81, 1, 0.06))
	image := get("GET /images/{name}", 58, 120, 3.1, 0.0006, cache("GET image", 30, 0.42))
	mail := htmlSpan{site: htmlSite("shop/mail", "order.placed process", core.KindConsumer, "mail/consumer.go", 27), calls: 8.6 * 300, share: 47e6,
		spread: 0.7, errors: 0.004, children: []htmlSpan{
			block("shop/render", "mail.html", "render/html.go", 99, 1, 0.12),
			htmlSpan{site: htmlSite("shop/mail", "SMTP send", core.KindClient, "mail/smtp.go", 51), calls: 1, share: 0.8, spread: 0.9, errors: 0.004}}}
	reindex := htmlSpan{site: htmlSite("shop/search", "reindex", core.KindInternal, "search/reindex.go", 15), calls: 10, share: 2.6e9, spread: 0.1,
		children: []htmlSpan{db("SELECT products changed", 90, 1, 0.22), block("shop/search", "tokenize", "search/tokens.go", 12, 240, 0.31)}}

	s := htmlSnapshot("webshop", []htmlSpan{checkout, products, product, cart, add, search, image, mail, reindex})
	s.DisabledTracks = []string{"shop/debug"}
	s.Counters.OverflowNodes, s.Counters.Truncated = 1_204, 3
	return s
}

// htmlSnapshot invents the observations of spans. For roots, share is the mean duration in nanoseconds.
func htmlSnapshot(name string, roots []htmlSpan) *core.Snapshot {
	b := htmlBuilder{random: rand.New(rand.NewPCG(7, 11)), blocks: map[core.Site]core.Stats{}}
	b.add(-1, 1, 1, roots)
	s := &core.Snapshot{Names: []string{name}, Start: htmlFixtureStart, End: htmlFixtureStart.Add(htmlFixtureWindow), Nodes: b.nodes}
	for site, stats := range b.blocks {
		s.Blocks = append(s.Blocks, core.Block{Site: site, Stats: stats})
		s.Counters.Spans += stats.Count
	}
	slices.SortFunc(s.Blocks, func(x, y core.Block) int { return x.Site.Compare(y.Site) })
	index := map[core.Site]int{}
	for i := range s.Blocks {
		index[s.Blocks[i].Site] = i
	}
	for i, site := range b.sites {
		s.Nodes[i].Block = index[site]
	}
	return s
}

type htmlBuilder struct {
	random *rand.Rand
	nodes  []core.Node
	sites  []core.Site
	blocks map[core.Site]core.Stats
}

// add appends the spans under a parent that was called count times for total nanoseconds, and returns their total.
func (b *htmlBuilder) add(parent int, count, total float64, spans []htmlSpan) (sum uint64) {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(x, y htmlSpan) int { return x.site.Compare(y.site) })
	for _, sp := range spans {
		n := max(math.Round(count*sp.calls), 1)
		mean := total * sp.share / n
		if parent < 0 {
			mean = sp.share
		}
		i := len(b.nodes)
		st := b.observe(int(n), mean, sp.spread, sp.errors)
		b.nodes, b.sites = append(b.nodes, core.Node{Parent: parent}), append(b.sites, sp.site)
		below := b.add(i, n, float64(st.Total), sp.children)
		st.Self = st.Total - min(below, st.Total)
		if sp.concurrent {
			st.Self = st.Total / 20
		}
		b.nodes[i].Stats = st
		b.blocks[sp.site] = b.blocks[sp.site].Merge(st)
		sum += st.Total
	}
	return sum
}

// observe invents n log-normal durations with a mean; every 25th is much slower.
func (b *htmlBuilder) observe(n int, mean, spread, errors float64) core.Stats {
	st := core.Stats{Min: math.MaxUint64, First: htmlFixtureStart.UnixNano(), Last: htmlFixtureStart.Add(htmlFixtureWindow).UnixNano()}
	buckets := map[int]uint64{}
	for i := range n {
		ns := mean * 0.9 * math.Exp(b.random.NormFloat64()*spread-spread*spread/2)
		if i%25 == 24 {
			ns *= 3.5
		}
		d := uint64(max(ns, 1))
		st.Count++
		st.Total += d
		st.Min = min(st.Min, d)
		hi, lo := bits.Mul64(d, d)
		var carry uint64
		st.SumSquares.Lo, carry = bits.Add64(st.SumSquares.Lo, lo, 0)
		st.SumSquares.Hi += hi + carry
		if d > st.Max {
			st.Max = d
			st.Slowest = b.exemplar(d)
		}
		if b.random.Float64() < errors {
			st.Errors++
			st.LastError = b.exemplar(d)
		}
		buckets[core.BucketIndex(d)]++
	}
	var list []core.Bucket
	for i, c := range buckets {
		list = append(list, core.Bucket{Index: int32(i), Count: c})
	}
	slices.SortFunc(list, func(x, y core.Bucket) int { return cmp.Compare(x.Index, y.Index) })
	st.Histogram = core.NewHistogram(st.Histogram.Zero, list)
	return st
}

func (b *htmlBuilder) exemplar(d uint64) core.Exemplar {
	e := core.Exemplar{Duration: d, Time: htmlFixtureStart.Add(time.Duration(b.random.Int64N(int64(htmlFixtureWindow)))).UnixNano(), Sampled: true}
	for i := range e.Trace {
		e.Trace[i] = byte(b.random.Uint32())
	}
	for i := range e.Span {
		e.Span[i] = byte(b.random.Uint32())
	}
	return e
}

// htmlForest returns a profile with n paths in binary trees, over at most 5 000 sites: a flame graph as full as it gets.
func htmlForest(n int) *core.Snapshot {
	const roots = 8
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var build func(i int) htmlSpan
	build = func(i int) htmlSpan {
		site := i % 5000
		sp := htmlSpan{
			site: htmlSite(fmt.Sprintf("track-%02d", site%17), fmt.Sprintf("operation %04d", site), core.KindInternal,
				fmt.Sprintf("pkg%d/file.go", site%23), 1+site),
			calls: 1, spread: 0.3, errors: 0.05, share: 0.3 + random.Float64()*0.3,
		}
		for _, c := range []int{2*i + roots, 2*i + roots + 1} {
			if c < n {
				sp.children = append(sp.children, build(c))
			}
		}
		return sp
	}
	var tree []htmlSpan
	for i := range min(roots, n) {
		sp := build(i)
		sp.calls, sp.share = 4, 10e9*(0.5+random.Float64())
		tree = append(tree, sp)
	}
	return htmlSnapshot("forest", tree)
}
