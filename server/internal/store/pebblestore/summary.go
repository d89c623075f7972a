package pebblestore

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync/atomic"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// summary is what is kept in memory of a block.
type summary struct {
	block uint64
	// start and maxStart are the first and the last start of a span, end is the last end, in ns since the Unix epoch.
	start, maxStart, end int64
	spans, traces, bytes int64
	services             []string
	// traceFilter, if there is one, is the filter of the block's traces.
	traceFilter atomic.Pointer[traceFilter]
}

func (s *summary) append(b []byte) []byte {
	b = binary.AppendVarint(b, s.start)
	b = binary.AppendUvarint(b, uint64(s.maxStart-s.start))
	b = binary.AppendUvarint(b, uint64(s.end-s.start))
	b = binary.AppendUvarint(b, uint64(s.spans))
	b = binary.AppendUvarint(b, uint64(s.traces))
	b = binary.AppendUvarint(b, uint64(s.bytes))
	for _, name := range s.services {
		b = appendString(b, name)
	}
	return withChecksum(b)
}

// parseSummary reads what append wrote.
func parseSummary(block uint64, b []byte) (*summary, error) {
	b, err := checked(b)
	if err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	r := indexReader{rest: b}
	s := &summary{block: block, start: r.signed()}
	s.maxStart = s.start + int64(r.number(math.MaxUint64))
	s.end = s.start + int64(r.number(math.MaxUint64))
	s.spans = int64(r.number(math.MaxInt32))
	s.traces = int64(r.number(math.MaxInt32))
	s.bytes = int64(r.number(math.MaxInt64))
	for len(r.rest) > 0 {
		s.services = append(s.services, r.text())
	}
	if r.bad {
		return nil, fmt.Errorf("%w: summary", store.ErrDamaged)
	}
	return s, nil
}

// services returns the names of the services that have operations, ascending.
func (x *blockIndex) services() []string {
	names := map[string]struct{}{}
	for i := range x.operations {
		names[x.operations[i].Service] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names))
}
