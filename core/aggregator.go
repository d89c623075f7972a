package core

import (
	"fmt"
	"hash/maphash"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures an [Aggregator]. The zero value is valid.
type Config struct {
	// Name is put into Snapshot.Names.
	Name string
	// Limits bound the memory; the zero value means DefaultLimits.
	Limits Limits
	// NoTree leaves the call tree out: blocks only. Self times are still exact.
	NoTree bool
	// NoSelf leaves self times out: all time is self time.
	NoSelf bool
	// SelfHistograms keeps a histogram of self times beside that of durations: Stats.SelfHistogram. A node then takes up
	// to twice the memory, and an observation some ns more.
	SelfHistograms bool
	// Disabled says whether a track is off when it is first seen. It must not call the Aggregator. Nil means that
	// all are on.
	Disabled func(track string) bool
	// Describe returns what is known of an open span from the Ref given to Open: its present label and its start
	// in ns since the Unix epoch, math.MinInt64 if unknown. It is called without any lock, by several goroutines at
	// once, and must not panic. Nil, or a nil label, leaves the span unnamed while it is open: its path counts as that of
	// its parent. A span with an unknown start counts as started with its parent if that ended before it, so that the
	// parent's self time can only rise later.
	Describe func(ref any) (label *Label, start int64)
}

// Aggregator counts ended spans and blocks exactly, per site and per path. All methods may be called concurrently.
type Aggregator struct {
	config Config
	state  atomic.Pointer[state]
	shards []shard
	mask   uint64

	// credits are the parts of Limits.MaxActive that no shard holds.
	credits atomic.Int64
	hand    atomic.Uint32 // the shard to be reclaimed from next
	// roots numbers the traces of blocks that have no trace id.
	roots atomic.Uint64
	// panics counts what Recovered was told.
	panics atomic.Uint64

	// snapshots makes Snapshot, Take, Reset and Clear follow one another.
	snapshots sync.Mutex

	baseTime time.Time
	baseUnix int64
}

// New returns an empty Aggregator, or an error that names what is wrong in the Config.
func New(c Config) (*Aggregator, error) {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	if err := c.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("aggregator: %w", err)
	}
	// Enough that goroutines seldom meet; few enough that their tables and records stay in the cache.
	n := 8
	for n < 2*runtime.GOMAXPROCS(0) {
		n *= 2
	}
	now := time.Now()
	a := &Aggregator{config: c, shards: make([]shard, n), mask: uint64(n - 1), baseTime: now, baseUnix: now.UnixNano()}
	a.credits.Store(int64(c.Limits.MaxActive))
	a.state.Store(newState(a, a.baseUnix))
	return a, nil
}

// Label interns a site. If its Function and File are empty, the location comes from the Place given to Open. Over
// Limits.MaxSites it returns a label of OverflowSite. It does not allocate for known sites.
func (a *Aggregator) Label(s Site) *Label { return a.state.Load().label(s) }

// current returns the label in the present state, after Clear replaced the one it was made in.
func (a *Aggregator) current(l *Label) *Label { return l.in(a.state.Load()) }

// maxMoment bounds moments and durations, so that sums of two never wrap: 146 years.
const maxMoment = math.MaxInt64 / 2

// Moment converts a time to nanoseconds since the Unix epoch. Times that carry Go's monotonic clock are compared
// by it, so that a step of the wall clock does not distort the distance of two moments.
func (a *Aggregator) Moment(t time.Time) int64 {
	d := int64(t.Sub(a.baseTime))
	if d > maxMoment || d < -maxMoment {
		d = clampMoment(d)
	}
	return clampMoment(d + a.baseUnix)
}

// Now returns the present moment, by the monotonic clock.
func (a *Aggregator) Now() int64 { return int64(time.Since(a.baseTime)) + a.baseUnix }

func clampMoment(n int64) int64 { return max(min(n, maxMoment), -maxMoment) }

// Observation is an ended span or block that is recorded at once, without an Open.
type Observation struct {
	// Start is in ns since the Unix epoch, Duration in ns; a negative one counts as 0 and in Counters.Clamped.
	Start, Duration int64
	// Bytes is what the observed code processed.
	Bytes uint64
	// Trace and Span are the ids of the span to point at as an exemplar, all zeros for none.
	Trace TraceID
	Span  SpanID
	// Failed makes it an error; Sampled says that the exemplar is a span that is exported.
	Failed, Sampled bool
}

// Record counts an observation as a root of the call tree; all its time is self time. A disabled track's are
// ignored.
func (a *Aggregator) Record(l *Label, o *Observation) {
	l = l.in(a.state.Load())
	if l.track.off.Load() {
		return
	}
	var obs observation
	obs.start, obs.bytes, obs.failed, obs.sampled = clampMoment(o.Start), o.Bytes, o.Failed, o.Sampled
	if o.Duration < 0 {
		a.countClamped(1)
	}
	d := uint64(min(max(o.Duration, 0), maxMoment))
	obs.duration, obs.self = d, d
	if o.Trace != (TraceID{}) {
		obs.trace, obs.span = &o.Trace, o.Span
	}
	l.root().record(&obs)
}

// RecordPlain is Record for a span that did not fail and whose ids cost something to get. They are left out, and the span
// is counted unless it has to become an exemplar, as the slowest yet, or needs a closer look. Then nothing is counted,
// and the result is false: Record it with its ids.
func (a *Aggregator) RecordPlain(l *Label, start, duration int64) bool {
	l = l.in(a.state.Load())
	if l.track.off.Load() {
		return true
	}
	if duration < 0 || duration > maxMoment {
		return false
	}
	var obs observation
	obs.start, obs.plain = clampMoment(start), true
	obs.duration, obs.self = uint64(duration), uint64(duration)
	return l.root().record(&obs)
}

// SetTrackEnabled switches a track on or off. While it is off, spans of the track that end are left out, and their
// children belong to the nearest ancestor of another track.
func (a *Aggregator) SetTrackEnabled(name string, on bool) {
	name = cleanName(name, a.config.Limits.MaxName)
	a.state.Load().track(name).off.Store(!on)
}

// TrackEnabled reports whether a track is on, as all are at first.
func (a *Aggregator) TrackEnabled(name string) bool {
	st := a.state.Load()
	name = cleanName(name, a.config.Limits.MaxName)
	t := st.tracks.find(maphash.String(st.seed, name), name)
	return t == nil || !t.off.Load()
}

// Recovered counts a recovered panic in Counters.Panics.
func (a *Aggregator) Recovered() { a.panics.Add(1) }
