package pipeline

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// span is what the pipeline knows of a span until it is committed.
type span struct {
	id, parent core.SpanID
	start      int64 // ns since the Unix epoch
	duration   int64 // ns; negative if the span ended before it started
	unsampled  uint64
	site       *site
	// What follows is empty if only statistics are kept.
	request    *request
	origin     *origin
	from, size uint32 // where the Span message is in the request
	index      uint32 // among the request's spans

	failed, sampled bool
	// profile: it stands for something in a profile. Then the message is there always.
	profile bool
}

// take takes over what a span says of itself.
func (s *span) take(from *otlp.Span) {
	s.id, s.parent = from.Span, from.Parent
	s.start, s.duration = moment(from.Start), min(from.Duration(), maxMoment)
	s.failed, s.sampled, s.profile = from.Failed, from.Sampled(), from.Profile
	s.unsampled = 0
	if count, ok := otlp.AdjustedCount(from.TraceState); ok {
		s.unsampled = count - 1024
	}
}

const spanSize = int64(unsafe.Sizeof(span{}))

// cost is what the span adds to what is pending: itself and its share of the request.
func (s *span) cost() int64 {
	if s.request == nil {
		return spanSize
	}
	return spanSize + int64(s.size)*s.request.packed/max(s.request.size, 1)
}

// kept is how many bytes are kept of it, as they were received.
func (s *span) kept() int64 {
	if s.request == nil {
		return 0
	}
	return int64(s.size)
}

// raw is where its bytes are.
func (s *span) raw(trace core.TraceID) rawSpan {
	return rawSpan{trace, s.origin, s.request, s.from, s.size}
}

// end is when the span ended, as its block counts it.
func (s *span) end() int64 { return s.start + max(s.duration, 0) }

// minute is that in which the span ended, in Unix minutes.
func (s *span) minute() int64 { return s.end() / minute }

const minute = 60_000_000_000 // ns

// sum tells different spans with the same id apart: see the package's word on duplicates.
func (s *span) sum() uint64 {
	h := s.site.hash
	h = mix(h, uint64(s.start))
	h = mix(h, uint64(s.duration))
	h = mix(h, binary.LittleEndian.Uint64(s.parent[:]))
	more := uint64(s.size) << 1
	if s.failed {
		more |= 1
	}
	return mix(h, more)
}

// mix is a step of a hash function: one multiplication, whose two halves depend on all bits.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9E3779B97F4A7C15, b^0xD6E8FEB86659FD93)
	return hi ^ lo
}

// origin is where spans come from, for as long as spans refer to it.
type origin struct {
	store.Origin
	// index is that in the segment with this number. Only the committing goroutine uses them.
	segment uint64
	index   int
}
