package core

// TraceSpan is one ended span of a trace of which all spans are at hand: what a server records, which gets spans when
// they have ended, and in any order.
type TraceSpan struct {
	// Label is the span's site. If it has no location, that of Place counts; nil for unknown.
	Label *Label
	Place *Location
	// Start is in ns since the Unix epoch, Duration in ns; a negative one counts as 0 and in Counters.Clamped.
	Start, Duration int64
	// Self is the part of Duration that no child covers, Critical the part that lay on the critical path of the
	// trace, in ns; what exceeds Duration is cut.
	Self, Critical uint64
	// Unsampled is how many more spans this one stands for, in 1024ths; see [Stats].
	Unsampled uint64
	// Parent is the index of the parent, which stands before its children; -1 for a root.
	Parent int32
	Span   SpanID
	// Failed makes it an error; Sampled says that the span carried the sampled flag.
	Failed, Sampled bool
	// PathOnly: the span is not counted here, it only leads to its children.
	PathOnly bool

	node *node
}

// RecordTrace counts the spans of a trace, each under the path of its parents. Spans of a disabled track are left out, and
// their children belong to the parent. It keeps nothing of spans, but uses the slice as scratch memory: one
// goroutine at a time may pass it.
func (a *Aggregator) RecordTrace(trace TraceID, spans []TraceSpan) {
	st := a.state.Load()
	var clamped uint64
	o := observation{}
	for i := range spans {
		s := &spans[i]
		base := &st.root
		if s.Parent >= 0 && !a.config.NoTree {
			base = spans[s.Parent].node
		}
		label := s.Label.in(st)
		if label.track.off.Load() {
			s.node = base
			continue
		}
		s.node = st.child(base, label.at(s.Place))
		if s.PathOnly {
			continue
		}
		if s.Duration < 0 {
			clamped++
		}
		d := uint64(min(max(s.Duration, 0), maxMoment))
		o = observation{
			start: clampMoment(s.Start), duration: d, self: min(s.Self, d), critical: min(s.Critical, d),
			unsampled: s.Unsampled, span: s.Span, failed: s.Failed, sampled: s.Sampled,
		}
		if s.Span != (SpanID{}) {
			o.trace = &trace
		}
		s.node.record(&o)
	}
	if clamped > 0 {
		a.countClamped(clamped)
	}
}

func (a *Aggregator) countClamped(n uint64) {
	sh := &a.shards[stackHash()&a.mask]
	sh.mu.Lock()
	sh.counters.Clamped += n
	sh.mu.Unlock()
}
