package clickhouse

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/big"

	"github.com/stichotrope/stichotrope-go/core"
)

// id names a site or a path: a hash of what it is, the same on all nodes. All zeros is no path.
type id [16]byte

func siteID(s *core.Site) id {
	b := make([]byte, 0, 256)
	for _, text := range [...]string{s.Service, s.Track, s.Name, s.Function, s.File} {
		b = appendBytes(b, []byte(text))
	}
	b = binary.AppendVarint(append(b, byte(s.Kind)), int64(s.Line))
	sum := sha256.Sum256(b)
	return id(sum[:16])
}

func pathID(parent, site id) id {
	sum := sha256.Sum256(append(parent[:], site[:]...))
	return id(sum[:16])
}

var profileColumns = []string{
	"Service", "SiteId", "PathId", "Minute", "Count", "Errors", "Total", "Self", "Critical", "Unsampled", "SumSquares", "SquaresLess", "Bytes",
	"Min", "Max", "First", "Last", "Active", "Pending", "Zero", "Buckets", "SelfZero", "SelfBuckets",
	"Slowest", "LastError",
}

// profileRows are rows of otelprof_profile, by column, with those of the tables that say what their ids are.
type profileRows struct {
	service                          []string
	site, path                       [][]byte
	minute                           []int64
	count, errors                    []uint64
	total, self, critical, unsampled []*big.Int
	squares, bytes, squaresLess      []*big.Int
	min, max                         []uint64
	first, last, active, pending     []int64
	zero, selfZero                   []uint64
	buckets, selfBuckets             []map[int32]uint64
	slowest, lastError               []string
	sites                            siteRows
	paths                            pathRows
}

func (r *profileRows) columns() []any {
	return []any{
		r.service, r.site, r.path, r.minute, r.count, r.errors, r.total, r.self, r.critical, r.unsampled, r.squares, r.squaresLess, r.bytes,
		r.min, r.max, r.first, r.last, r.active, r.pending, r.zero, r.buckets, r.selfZero, r.selfBuckets,
		r.slowest, r.lastError,
	}
}

var siteColumns = []string{"SiteId", "Service", "Track", "Name", "Kind", "Function", "File", "Line"}

type siteRows struct {
	seen                                 map[id]bool
	id                                   [][]byte
	service, track, name, function, file []string
	kind                                 []uint8
	line                                 []uint32
}

func (r *siteRows) columns() []any {
	return []any{r.id, r.service, r.track, r.name, r.kind, r.function, r.file, r.line}
}

func (r *siteRows) add(id id, s *core.Site) {
	if r.seen[id] {
		return
	}
	r.seen[id] = true
	r.id = append(r.id, id[:])
	r.service, r.track, r.name = append(r.service, s.Service), append(r.track, s.Track), append(r.name, s.Name)
	r.kind, r.line = append(r.kind, uint8(s.Kind)), append(r.line, uint32(s.Line))
	r.function, r.file = append(r.function, s.Function), append(r.file, s.File)
}

var pathColumns = []string{"PathId", "Parent", "SiteId"}

type pathRows struct {
	seen             map[id]bool
	id, parent, site [][]byte
}

func (r *pathRows) columns() []any { return []any{r.id, r.parent, r.site} }

func (r *pathRows) add(id, parent, site id) {
	if r.seen[id] {
		return
	}
	r.seen[id] = true
	r.id, r.parent, r.site = append(r.id, id[:]), append(r.parent, parent[:]), append(r.site, site[:])
}

func newProfileRows() *profileRows {
	return &profileRows{sites: siteRows{seen: map[id]bool{}}, paths: pathRows{seen: map[id]bool{}}}
}

// makeProfileRows turns the profiles of a parcel into rows.
func makeProfileRows(p *parcel) *profileRows {
	r := newProfileRows()
	for i := range p.segment.Profiles {
		minute := p.segment.Profiles[i].Minute
		r.walk(p.segment.Profiles[i].Snapshot, func(service string, site, path id, s *core.Stats, pending int64) {
			r.add(minute, service, site, path, s, pending)
		})
	}
	return r
}

// walk calls f for all blocks, which have no path, and then for all nodes of a snapshot, and notes what their ids mean.
func (r *profileRows) walk(s *core.Snapshot, f func(service string, site, path id, s *core.Stats, pending int64)) {
	sites := make([]id, len(s.Blocks))
	for i := range s.Blocks {
		b := &s.Blocks[i]
		sites[i] = siteID(&b.Site)
		r.sites.add(sites[i], &b.Site)
		f(b.Site.Service, sites[i], id{}, &b.Stats, b.Pending)
	}
	paths := make([]id, len(s.Nodes))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		var parent id
		if n.Parent >= 0 {
			parent = paths[n.Parent]
		}
		paths[i] = pathID(parent, sites[n.Block])
		r.paths.add(paths[i], parent, sites[n.Block])
		f(s.Blocks[n.Block].Site.Service, sites[n.Block], paths[i], &n.Stats, 0)
	}
}

// add appends a row. Extremes of nothing are such that they do not matter.
func (r *profileRows) add(minute int64, service string, site, path id, s *core.Stats, pending int64) {
	least, first, last := s.Min, s.First, s.Last
	if s.Count == 0 {
		least, first, last = math.MaxUint64, math.MaxInt64, math.MinInt64
	}
	selfZero, selfBuckets := uint64(0), map[int32]uint64{}
	if s.SelfHistogram != nil {
		selfZero, selfBuckets = s.SelfHistogram.Zero, bucketsOf(s.SelfHistogram)
	}
	r.service, r.minute = append(r.service, service), append(r.minute, minute)
	r.site, r.path = append(r.site, site[:]), append(r.path, path[:])
	r.count, r.errors = append(r.count, s.Count), append(r.errors, s.Errors)
	r.total, r.self = append(r.total, large(0, s.Total)), append(r.self, large(0, s.Self))
	r.critical, r.unsampled = append(r.critical, large(0, s.Critical)), append(r.unsampled, large(0, s.Unsampled))
	r.squares, r.bytes = append(r.squares, large(s.SumSquares.Hi, s.SumSquares.Lo)), append(r.bytes, large(0, s.Bytes))
	r.squaresLess = append(r.squaresLess, new(big.Int))
	r.min, r.max = append(r.min, least), append(r.max, s.Max)
	r.first, r.last = append(r.first, first), append(r.last, last)
	r.active, r.pending = append(r.active, s.Active), append(r.pending, pending)
	r.zero, r.buckets = append(r.zero, s.Histogram.Zero), append(r.buckets, bucketsOf(&s.Histogram))
	r.selfZero, r.selfBuckets = append(r.selfZero, selfZero), append(r.selfBuckets, selfBuckets)
	r.slowest = append(r.slowest, encodeExemplar(s.Slowest, s.Slowest.Duration, uint64(s.Slowest.Time)^1<<63))
	r.lastError = append(r.lastError, encodeExemplar(s.LastError, uint64(s.LastError.Time)^1<<63, s.LastError.Duration))
}

func bucketsOf(h *core.Histogram) map[int32]uint64 {
	buckets := map[int32]uint64{}
	for b := range h.All {
		buckets[b.Index] = b.Count
	}
	return buckets
}

// large returns a number of 128 bits.
func large(hi, lo uint64) *big.Int {
	n := new(big.Int).SetUint64(lo)
	if hi == 0 {
		return n
	}
	return n.Or(n, new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64))
}

// encodeExemplar returns an exemplar in a form in which the greatest is the one that core chooses: what it goes by first comes
// first, in big-endian order. Empty for none.
func encodeExemplar(e core.Exemplar, first, second uint64) string {
	if e.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 41), first), second)
	b = append(append(b, e.Trace[:]...), e.Span[:]...)
	if e.Sampled {
		return string(append(b, 1))
	}
	return string(append(b, 0))
}

// decodeExemplar reads what encodeExemplar wrote.
func decodeExemplar(text string) (e core.Exemplar, first, second uint64) {
	if len(text) != 41 {
		return e, 0, 0
	}
	b := []byte(text)
	e.Trace, e.Span, e.Sampled = core.TraceID(b[16:32]), core.SpanID(b[32:40]), b[40] == 1
	return e, binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
}

func decodeSlowest(text string) core.Exemplar {
	e, duration, at := decodeExemplar(text)
	if !e.IsZero() {
		e.Duration, e.Time = duration, int64(at^1<<63)
	}
	return e
}

func decodeLastError(text string) core.Exemplar {
	e, at, duration := decodeExemplar(text)
	if !e.IsZero() {
		e.Duration, e.Time = duration, int64(at^1<<63)
	}
	return e
}
