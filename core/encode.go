package core

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The binary form of a snapshot is described in snapshot.proto. The numbers of its fields are written out here and
// in decode.go, in the order of the schema.
const (
	format        = "otelprof.snapshot"
	formatVersion = 1
)

// MarshalBinary returns the snapshot in its binary form, the protobuf message of snapshot.proto. It begins with
// 0A 11 "otelprof.snapshot"; equal snapshots have equal bytes. Compression is up to the caller; gzip leaves a third.
// The error says what is not valid in the snapshot, see [Snapshot.Validate].
func (s *Snapshot) MarshalBinary() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	e := encoder{indexes: map[string]uint64{"": 0}}
	for i := range s.Blocks {
		e.block(&s.Blocks[i])
	}
	for i := range s.Nodes {
		e.node(i, &s.Nodes[i])
	}
	b := make([]byte, 0, len(e.body)+64*len(e.strings)+256)
	b = appendBytes(b, 1, format)
	b = appendUint(b, 2, formatVersion)
	b = appendSint(b, 3, Scale)
	b = appendMoment(b, 4, s.Start)
	b = appendMoment(b, 5, s.End)
	b = appendStrings(b, 6, s.Names)
	b = appendStrings(b, 7, s.DisabledTracks)
	b = appendBytes(b, 8, appendCounters(nil, s.Counters))
	b = appendStrings(b, 9, e.strings)
	b = append(b, e.body...)
	return appendUint(b, 12, 1), nil
}

// appendMoment writes a field that is absent for the zero time, and present for the Unix epoch.
func appendMoment(b []byte, field int, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, field, wireFixed64), uint64(t.UnixNano()))
}

func appendStrings(b []byte, field int, list []string) []byte {
	for _, s := range list {
		b = appendElement(b, field, s)
	}
	return b
}

func appendCounters(b []byte, c Counters) []byte {
	field := 0
	c.each(&c, func(_ *uint64, n uint64) {
		field++
		b = appendUint(b, field, n)
	})
	return b
}

// encoder writes blocks and nodes to body, and collects the strings that go before them.
type encoder struct {
	strings []string
	indexes map[string]uint64
	body    []byte
	// These are reused for the nested messages.
	message, stats, selfTimes, packed []byte
}

func (e *encoder) index(s string) uint64 {
	i, ok := e.indexes[s]
	if !ok {
		e.strings = append(e.strings, s)
		i = uint64(len(e.strings))
		e.indexes[s] = i
	}
	return i
}

func (e *encoder) block(b *Block) {
	m := appendUint(e.message[:0], 1, e.index(b.Site.Track))
	m = appendUint(m, 2, e.index(b.Site.Name))
	m = appendUint(m, 3, e.index(b.Site.Function))
	m = appendUint(m, 4, e.index(b.Site.File))
	m = appendUint(m, 5, uint64(b.Site.Line))
	m = appendUint(m, 6, uint64(b.Site.Kind))
	m = appendSint(m, 7, b.Pending)
	m = appendBytes(m, 8, e.statistics(&b.Stats))
	m = appendUint(m, 9, e.index(b.Site.Service))
	e.body = appendElement(e.body, 10, m)
	e.message = m
}

func (e *encoder) node(i int, n *Node) {
	m := e.message[:0]
	if n.Parent >= 0 {
		m = appendUint(m, 1, uint64(i-n.Parent))
	}
	m = appendUint(m, 2, uint64(n.Block))
	m = appendBytes(m, 3, e.statistics(&n.Stats))
	e.body = appendElement(e.body, 11, m)
	e.message = m
}

// statistics returns a Stats message, which the next call overwrites.
func (e *encoder) statistics(s *Stats) []byte {
	m := appendUint(e.stats[:0], 1, s.Count)
	m = appendUint(m, 2, s.Errors)
	m = appendUint(m, 3, s.Total)
	m = appendUint(m, 4, s.Self)
	m = appendUint(m, 5, s.Min)
	m = appendUint(m, 6, s.Max)
	m = appendUint(m, 7, s.SumSquares.Hi)
	m = appendUint(m, 8, s.SumSquares.Lo)
	m = appendUint(m, 9, s.Bytes)
	m = appendUint(m, 10, uint64(s.Active))
	m = appendFixed64(m, 11, s.First)
	m = appendFixed64(m, 12, s.Last)
	m = appendBytes(m, 13, e.exemplar(s.Slowest))
	m = appendBytes(m, 14, e.exemplar(s.LastError))
	m = e.histogram(m, 15, &s.Histogram)
	m = appendUint(m, 18, s.Critical)
	m = appendUint(m, 19, s.Unsampled)
	if s.SelfHistogram != nil {
		e.selfTimes = e.histogram(e.selfTimes[:0], 1, s.SelfHistogram)
		m = appendBytes(m, 20, e.selfTimes)
	}
	e.stats = m
	return m
}

// histogram appends the three fields of a histogram, from field on.
func (e *encoder) histogram(m []byte, field int, h *Histogram) []byte {
	m = appendUint(m, field, h.Zero)
	e.packed = e.packed[:0]
	before := int32(zeroBucket)
	for b := range h.All {
		e.packed = binary.AppendUvarint(e.packed, uint64(b.Index-before))
		before = b.Index
	}
	m = appendBytes(m, field+1, e.packed)
	e.packed = e.packed[:0]
	for b := range h.All {
		e.packed = binary.AppendUvarint(e.packed, b.Count)
	}
	return appendBytes(m, field+2, e.packed)
}

// exemplar returns an Exemplar message, which the next call overwrites; nothing if there is no exemplar.
func (e *encoder) exemplar(x Exemplar) []byte {
	m := e.packed[:0]
	if !x.IsZero() {
		m = appendBytes(m, 1, x.Trace[:])
		m = appendBytes(m, 2, x.Span[:])
		m = appendUint(m, 3, x.Duration)
		m = appendFixed64(m, 4, x.Time)
	}
	if x.Sampled {
		m = appendUint(m, 5, 1)
	}
	e.packed = m
	return m
}
