package report

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/stichotrope/stichotrope-go/core"
)

const (
	// maxPageText is the longest name in a page, in bytes. Longer ones come only from files; uncut, a few of them
	// would make a page that no browser opens.
	maxPageText = 4 << 10
	// maxPageBuckets is the most buckets a histogram has in a page: about what its picture can show.
	maxPageBuckets = 96
)

// pageProfile is a snapshot as the page's script reads it. Durations are nanoseconds. JavaScript holds whole numbers
// exactly up to 2^53, 104 days; beyond that the script shows them right to 15 digits.
type pageProfile struct {
	Start    string      `json:"start"`
	WindowNs int64       `json:"windowNs"`
	Spans    uint64      `json:"spans"`
	Warnings []string    `json:"warnings"`
	Blocks   []pageBlock `json:"blocks"`
	Nodes    pageNodes   `json:"nodes"`
}

type pageBlock struct {
	Service   string        `json:"service,omitempty"`
	Track     string        `json:"track"`
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	Location  string        `json:"location"`
	Function  string        `json:"function"`
	Count     uint64        `json:"count"`
	Errors    uint64        `json:"errors"`
	Total     uint64        `json:"total"`
	Self      uint64        `json:"self"`
	Critical  uint64        `json:"critical,omitempty"`
	Min       uint64        `json:"min"`
	Mean      float64       `json:"mean"`
	StdDev    float64       `json:"stddev"`
	P50       float64       `json:"p50"`
	P90       float64       `json:"p90"`
	P95       float64       `json:"p95"`
	P99       float64       `json:"p99"`
	SelfP50   *float64      `json:"selfP50,omitempty"`
	SelfP99   *float64      `json:"selfP99,omitempty"`
	Max       uint64        `json:"max"`
	Bytes     uint64        `json:"bytes"`
	Active    int64         `json:"active"`
	Pending   int64         `json:"pending"`
	First     string        `json:"first,omitempty"`
	Last      string        `json:"last,omitempty"`
	Slowest   *pageExemplar `json:"slowest,omitempty"`
	LastError *pageExemplar `json:"lastError,omitempty"`
	Histogram pageHistogram `json:"histogram"`
}

type pageExemplar struct {
	Trace    string `json:"trace"`
	Span     string `json:"span"`
	Duration uint64 `json:"duration"`
	Time     string `json:"time"`
	Sampled  bool   `json:"sampled"`
}

type pageHistogram struct {
	Scale  int      `json:"scale"`
	Offset int      `json:"offset"`
	Counts []uint64 `json:"counts"`
	Zero   uint64   `json:"zero"`
}

// pageNodes is the call tree by columns: half the size of a list of objects, and the form that the flame graph takes.
// Block is -1 at the root above what is pending. Critical is left out where there are no critical paths.
type pageNodes struct {
	Parent   []int     `json:"parent"`
	Block    []int     `json:"block"`
	Count    []uint64  `json:"count"`
	Errors   []uint64  `json:"errors"`
	Total    []uint64  `json:"total"`
	Self     []uint64  `json:"self"`
	Critical []uint64  `json:"critical,omitempty"`
	Min      []uint64  `json:"min"`
	P50      []float64 `json:"p50"`
	P95      []float64 `json:"p95"`
	P99      []float64 `json:"p99"`
	Max      []uint64  `json:"max"`
}

// marshalProfile returns the snapshot as JSON that may stand in a script element: encoding/json escapes <, > and &, the
// line separators, and replaces invalid UTF-8.
func marshalProfile(s *core.Snapshot) (string, error) {
	if err := checkTree(s); err != nil {
		return "", err
	}
	p := pageProfile{
		Start: pageTime(s.Start), WindowNs: int64(s.Window()), Spans: s.Counters.Spans, Warnings: []string{},
		Blocks: make([]pageBlock, 0, len(s.Blocks)), Nodes: newPageNodes(callTree(s)),
	}
	if !extrasOf(s).critical {
		p.Nodes.Critical = nil
	}
	for _, warning := range warnings(s) {
		p.Warnings = append(p.Warnings, cutText(warning))
	}
	for i := range s.Blocks {
		p.Blocks = append(p.Blocks, newPageBlock(&s.Blocks[i]))
	}
	b, err := json.Marshal(p)
	return string(b), err
}

// checkTree checks what the tree's readers rely on: parents stand before their children, and blocks exist.
func checkTree(s *core.Snapshot) error {
	for i, node := range s.Nodes {
		if node.Parent < -1 || node.Parent >= i {
			return fmt.Errorf("node %d has parent %d, want -1 or an earlier node", i, node.Parent)
		}
		if node.Block < 0 || node.Block >= len(s.Blocks) {
			return fmt.Errorf("node %d has block %d of %d", i, node.Block, len(s.Blocks))
		}
	}
	return nil
}

func newPageBlock(b *core.Block) pageBlock {
	st := &b.Stats
	d := st.Histogram.Dense(maxPageBuckets)
	p := pageBlock{
		Service: pageText(b.Site.Service), Critical: st.Critical,
		Track: cmp.Or(pageText(b.Site.Track), unnamed), Name: cmp.Or(pageText(b.Site.Name), unnamed), Kind: b.Site.Kind.String(),
		Location: pageText(b.Site.Location()), Function: pageText(b.Site.Function),
		Count: st.Count, Errors: st.Errors, Total: st.Total, Self: st.Self,
		Min: st.Min, Mean: math.Round(st.Mean()), StdDev: math.Round(st.StdDev()),
		P50: pageQuantile(st, 0.5), P90: pageQuantile(st, 0.9), P95: pageQuantile(st, 0.95), P99: pageQuantile(st, 0.99),
		Max: st.Max, Bytes: st.Bytes, Active: st.Active, Pending: b.Pending,
		Slowest: newPageExemplar(st.Slowest), LastError: newPageExemplar(st.LastError),
		Histogram: pageHistogram{Scale: d.Scale, Offset: d.Offset, Counts: append([]uint64{}, d.Counts...), Zero: d.Zero},
	}
	if st.SelfHistogram != nil {
		p.SelfP50, p.SelfP99 = new(math.Round(st.SelfQuantile(0.5))), new(math.Round(st.SelfQuantile(0.99)))
	}
	if st.Count > 0 {
		p.First, p.Last = pageTime(time.Unix(0, st.First)), pageTime(time.Unix(0, st.Last))
	}
	return p
}

func newPageExemplar(e core.Exemplar) *pageExemplar {
	if e.IsZero() {
		return nil
	}
	return &pageExemplar{
		Trace: hex.EncodeToString(e.Trace[:]), Span: hex.EncodeToString(e.Span[:]),
		Duration: e.Duration, Time: pageTime(time.Unix(0, e.Time)), Sampled: e.Sampled,
	}
}

func newPageNodes(calls []call) pageNodes {
	n := len(calls)
	p := pageNodes{
		Parent: make([]int, n), Block: make([]int, n), Count: make([]uint64, n), Errors: make([]uint64, n),
		Total: make([]uint64, n), Self: make([]uint64, n), Critical: make([]uint64, n), Min: make([]uint64, n), Max: make([]uint64, n),
		P50: make([]float64, n), P95: make([]float64, n), P99: make([]float64, n),
	}
	for i, c := range calls {
		p.Parent[i], p.Block[i] = c.parent, c.block
		p.Count[i], p.Errors[i], p.Total[i], p.Self[i] = c.stats.Count, c.stats.Errors, c.stats.Total, c.stats.Self
		p.Critical[i], p.Min[i], p.Max[i] = c.stats.Critical, c.stats.Min, c.stats.Max
		p.P50[i], p.P95[i], p.P99[i] = pageQuantile(c.stats, 0.5), pageQuantile(c.stats, 0.95), pageQuantile(c.stats, 0.99)
	}
	return p
}

// pageQuantile rounds to whole nanoseconds: a quantile is not known more exactly, and the page gets shorter.
func pageQuantile(st *core.Stats, q float64) float64 { return math.Round(st.Quantile(q)) }

// pageTime returns a moment in RFC 3339 with nanoseconds, "" for the zero time.
func pageTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// pageText returns a name as the page shows it: nothing in it is invisible or reorders its neighbours, and it is not
// too long.
func pageText(name string) string { return visible(cutText(name)) }

// cutText shortens a text to maxPageText bytes, between two characters, and says how long it was.
func cutText(text string) string {
	if len(text) <= maxPageText {
		return text
	}
	end := maxPageText
	for end > maxPageText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}
