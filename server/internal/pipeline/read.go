package pipeline

import (
	"bytes"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// reader reads one request at a time.
type reader struct {
	p       *Pipeline
	checker otlp.Checker
	walker  otlp.Walker

	// request is what to keep: not always what was received, and there only while it is read. spans are those of it that are
	// to be counted, with the ids of their traces; all is how many it has, with those that are not.
	request []byte
	spans   []span
	traces  []core.TraceID
	all     int
	// reasons is how often something was wrong with a part of the request, by what it was.
	reasons map[string]int
	// bytes is how much the spans add to what is pending.
	bytes int64

	// runs are stretches of spans of one trace, dealt the first and the last of those of each shard.
	runs  []run
	dealt [shardCount]struct{ first, last int32 }

	// What follows belongs to the origin with the number.
	number int
	origin *origin
	hash   uint64

	minute        int64 // the present
	oldest, limit int64 // between which spans may end
}

// Why spans are refused, beside otlp's reasons.
const (
	TooOld    = "span ended before the retention period"
	InFuture  = "span ends in the future"
	keepReady = 64 // readers
)

// run is a stretch of spans of one trace; next is the next one for the same shard, -1 for none.
type run struct{ from, to, next int32 }

// deal divides the spans among the shards, in order.
func (r *reader) deal() {
	r.runs = r.runs[:0]
	for i := range r.dealt {
		r.dealt[i].first = -1
	}
	for from := 0; from < len(r.spans); {
		to := from + 1
		for to < len(r.spans) && r.traces[to] == r.traces[from] {
			to++
		}
		at := int32(len(r.runs))
		r.runs = append(r.runs, run{int32(from), int32(to), -1})
		d := &r.dealt[mixID(&r.traces[from])%shardCount]
		if d.first < 0 {
			d.first = at
		} else {
			r.runs[d.last].next = at
		}
		d.last = at
		from = to
	}
}

// readers keeps the memory of readers.
type readers struct {
	mu   sync.Mutex
	free []*reader
}

func (r *readers) take(p *Pipeline) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.free); n > 0 {
		x := r.free[n-1]
		r.free = r.free[:n-1]
		return x
	}
	split := p.config.Split
	return &reader{p: p, checker: otlp.Checker{Limits: p.config.Limits, Split: split}, walker: otlp.Walker{Split: split}}
}

// maxKept is how many spans the memory of a reader that is kept may have room for.
const maxKept = 8192

func (r *readers) give(x *reader) {
	clear(x.spans)
	x.origin, x.request = nil, nil
	if cap(x.spans) > maxKept {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) < keepReady {
		r.free = append(r.free, x)
	}
}

func (r *reader) start() {
	r.clear()
	now := time.Now()
	r.minute = unixMinute(now)
	r.oldest, r.limit = 0, maxMoment
	if c := &r.p.config; c.Retention > 0 {
		r.oldest = now.Add(-c.Retention).UnixNano()
	}
	if c := &r.p.config; c.MaxFuture >= 0 {
		r.limit = now.Add(c.MaxFuture).UnixNano()
	}
}

func (r *reader) clear() {
	clear(r.spans)
	r.spans, r.traces, r.all, r.bytes = r.spans[:0], r.traces[:0], 0, 0
	r.number, r.origin = -1, nil
}

// first reads a request that is new, and says what of it is refused. What is not kept needs no check of its attributes.
func (r *reader) first(request []byte) (otlp.Result, error) {
	r.start()
	if r.p.config.StatisticsOnly {
		return r.count(request)
	}
	checked, err := r.checker.Check(request, r.judge)
	if err != nil {
		return otlp.Result{}, err
	}
	r.request, r.reasons = checked.Request, checked.Reasons
	if checked.Changed {
		r.clear()
		err = r.walker.Walk(r.request, func(s *otlp.Span) error {
			r.read(s)
			return nil
		})
	}
	return checked.Result(), err
}

// count reads a request of which only statistics are kept.
func (r *reader) count(request []byte) (otlp.Result, error) {
	var checked otlp.Checked
	r.request, r.reasons = request, nil
	err := r.walker.Walk(request, func(s *otlp.Span) error {
		reason := s.Bad
		if reason == "" {
			reason = r.judge(s)
		}
		if reason != "" {
			if checked.Reasons == nil {
				checked.Reasons = map[string]int{}
			}
			checked.Reasons[reason]++
			checked.Rejected++
		}
		return nil
	})
	r.reasons = checked.Reasons
	return checked.Result(), err
}

// judge reads a span, or says why it is refused.
func (r *reader) judge(s *otlp.Span) (reason string) {
	if end := moment(max(s.End, s.Start)); end < r.oldest {
		return TooOld
	} else if end > r.limit {
		return InFuture
	}
	r.read(s)
	return ""
}

// again reads an entry of the log, but for the spans that are consumed.
func (r *reader) again(entry []byte, consumed store.Bits) error {
	r.start()
	r.request = entry
	return r.walker.Walk(entry, func(s *otlp.Span) error {
		if s.Bad != "" || consumed.Has(r.all) {
			r.all++
			return nil
		}
		r.read(s)
		return nil
	})
}

// maxMoment bounds times and durations, as in core: 146 years.
const maxMoment = 1<<62 - 1

// moment returns a time of OTLP as it is counted.
func moment(t uint64) int64 { return int64(min(t, maxMoment)) }

// read takes over a span.
func (r *reader) read(s *otlp.Span) {
	if s.Origin.Number != r.number {
		r.number = s.Origin.Number
		r.hash = r.p.sites.hashOrigin(s.Origin)
		if !r.p.config.StatisticsOnly {
			r.origin = r.p.origins.of(s.Origin)
		}
	}
	n := len(r.spans)
	if n < cap(r.spans) {
		r.spans = r.spans[:n+1]
	} else {
		r.spans = append(r.spans, span{})
	}
	x := &r.spans[n]
	x.take(s)
	x.site = r.p.sites.of(s, r.hash, r.minute)
	x.size = uint32(len(s.Raw))
	if !r.p.config.StatisticsOnly {
		x.origin, x.from, x.index = r.origin, uint32(s.At), uint32(r.all)
	} else if s.Profile {
		x.request = &request{plain: bytes.Clone(s.Raw), size: int64(len(s.Raw)), packed: int64(len(s.Raw))}
	}
	r.traces = append(r.traces, s.Trace)
	r.all++
}

// keep says which request the spans are of.
func (r *reader) keep(q *request) {
	q.left = len(r.spans)
	q.free = q.cost(q.left)
	for i := range r.spans {
		r.spans[i].request = q
	}
	r.weigh()
}

// weigh finds out how much the spans add to what is pending.
func (r *reader) weigh() {
	r.bytes = 0
	for i := range r.spans {
		r.bytes += r.spans[i].cost()
	}
}
