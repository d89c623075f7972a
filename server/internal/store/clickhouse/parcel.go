package clickhouse

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// parcel is a segment on its way to ClickHouse. It does not change as long as its memory is not used again.
type parcel struct {
	// id is random: the tokens come from it, under which ClickHouse takes each of its batches once.
	id [16]byte
	// order is later than those of all earlier parcels of this node: the time in ns since the Unix epoch, as a rule.
	order uint64
	// node is the one that filed the segment, which may be another start of the same server. Empty before format 2.
	node string
	// part says of each trace how many parts of it come before it in the parcel.
	part    []uint32
	segment store.Segment // without Consumed
	spans   int64
	bytes   int64 // on the disk
}

// token is what the deduplication tokens of its batches begin with.
func (p *parcel) token() string { return hex.EncodeToString(p.id[:]) }

// maxParcel is how large a parcel may be before compression.
const maxParcel = 1 << 30

// A packed parcel begins with its format, its id and its order; the rest is compressed.
const (
	parcelFormat = 2
	parcelHead   = 1 + 16 + 8
)

// parcelMemory is what a parcel lies in. When nobody needs the parcel any more, the next one may lie there: memory that was not
// used before costs more than all that is done with it.
type parcelMemory struct {
	head    [parcelHead]byte
	body    []byte // before compression
	packed  int    // its size on the disk
	origins []store.Origin
	traces  []store.Trace
	spans   []store.Span
	part    []uint32
	parts   map[core.TraceID]uint32 // how many there were of each
}

// size is how many bytes the parcel has.
func (m *parcelMemory) size() int64 { return int64(len(m.body)) }

// encode makes a parcel of a segment, with a new id. Spans whose bytes are no Span message are refused, with the whole segment.
func (m *parcelMemory) encode(g *store.Segment, node string, order uint64) error {
	size := 1 << 16
	for i := range g.Traces {
		size += 24
		for _, s := range g.Traces[i].Spans {
			size += len(s.Raw) + 8
		}
	}
	b := slices.Grow(m.body[:0], size)
	b = appendBytes(b, []byte(node))
	b = binary.AppendUvarint(b, uint64(len(g.Origins)))
	for i := range g.Origins {
		o := &g.Origins[i]
		b = appendBytes(appendBytes(appendBytes(b, o.Resource), o.Scope), []byte(o.Service))
	}
	b = binary.AppendUvarint(b, uint64(len(g.Traces)))
	for i := range g.Traces {
		t := &g.Traces[i]
		b = append(b, t.ID[:]...)
		b = append(b, flag(t.Withheld))
		b = appendBytes(b, t.Uncounted)
		b = binary.AppendUvarint(b, uint64(len(t.Spans)))
		for _, s := range t.Spans {
			if err := otlp.CheckFields(s.Raw); err != nil {
				return fmt.Errorf("trace %s: %w", t.ID, err)
			}
			b = appendBytes(binary.AppendUvarint(b, uint64(s.Origin)), s.Raw)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(g.Profiles)))
	for _, p := range g.Profiles {
		snapshot, err := p.Snapshot.MarshalBinary()
		if err != nil {
			return fmt.Errorf("the profile of minute %d: %w", p.Minute, err)
		}
		b = appendBytes(binary.AppendVarint(b, p.Minute), snapshot)
	}
	m.body = b
	if len(b) > maxParcel {
		return fmt.Errorf("it has %d bytes, %d are allowed", len(b), maxParcel)
	}
	m.head[0] = parcelFormat
	if _, err := rand.Read(m.head[1:17]); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(m.head[17:], order)
	return nil
}

// pack returns the parcel as it lies on the disk, in the memory of to if it has room.
func (m *parcelMemory) pack(to []byte) []byte {
	to = slices.Grow(to[:0], parcelHead+s2.MaxEncodedLen(len(m.body)))
	to = append(to, m.head[:]...)
	m.packed = parcelHead + len(s2.Encode(to[parcelHead:cap(to)], m.body))
	return to[:m.packed]
}

// unpack reads what pack wrote.
func (m *parcelMemory) unpack(b []byte) (*parcel, error) {
	if len(b) < parcelHead || b[0] < 1 {
		return nil, fmt.Errorf("%w: a parcel of no format", store.ErrDamaged)
	}
	if b[0] > parcelFormat {
		// Not damaged, which would be given up: whoever wrote it can send it.
		return nil, fmt.Errorf("the queue has a parcel of format %d, this version of otelprof knows %d: use the version that wrote it", b[0], parcelFormat)
	}
	copy(m.head[:], b)
	m.packed = len(b)
	if n, err := s2.DecodedLen(b[parcelHead:]); err != nil || n > maxParcel {
		return nil, fmt.Errorf("%w: a parcel of %d bytes", store.ErrDamaged, n)
	}
	var err error
	if m.body, err = s2.Decode(m.body[:cap(m.body)], b[parcelHead:]); err != nil {
		return nil, fmt.Errorf("%w: parcel: %w", store.ErrDamaged, err)
	}
	return m.read()
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func appendBytes(to, b []byte) []byte { return append(binary.AppendUvarint(to, uint64(len(b))), b...) }

// read returns the parcel. It lies in the memory.
func (m *parcelMemory) read() (*parcel, error) {
	p := &parcel{id: [16]byte(m.head[1:17]), order: binary.BigEndian.Uint64(m.head[17:])}
	r, filed := unpacker{rest: m.body}, m.head[0] >= 2
	if filed {
		p.node = string(r.bytes())
	}
	m.origins = m.origins[:0]
	for n := r.count(); n > 0 && !r.bad; n-- {
		m.origins = append(m.origins, store.Origin{Resource: r.bytes(), Scope: r.bytes(), Service: string(r.bytes())})
	}
	m.readTraces(&r, filed)
	for n := r.count(); n > 0 && !r.bad; n-- {
		minute, snapshot := r.signed(), &core.Snapshot{}
		if err := snapshot.UnmarshalBinary(r.bytes()); err != nil {
			return nil, fmt.Errorf("%w: parcel: %w", store.ErrDamaged, err)
		}
		p.segment.Profiles = append(p.segment.Profiles, store.Profile{Minute: minute, Snapshot: snapshot})
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: a parcel is cut off", store.ErrDamaged)
	}
	p.segment.Origins, p.segment.Traces, p.part, p.spans = m.origins, m.traces, m.part, int64(len(m.spans))
	p.bytes = int64(m.packed)
	if err := p.segment.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return p, nil
}

func (m *parcelMemory) readTraces(r *unpacker, filed bool) {
	if m.parts == nil {
		m.parts = map[core.TraceID]uint32{}
	}
	clear(m.parts)
	m.traces, m.spans, m.part = m.traces[:0], m.spans[:0], m.part[:0]
	for n := r.count(); n > 0 && !r.bad; n-- {
		t := store.Trace{ID: core.TraceID(r.take(16))}
		if filed {
			t.Withheld, t.Uncounted = r.take(1)[0] == 1, r.bytes()
		}
		m.part = append(m.part, m.parts[t.ID])
		m.parts[t.ID]++
		from := len(m.spans)
		for n := r.count(); n > 0 && !r.bad; n-- {
			m.spans = append(m.spans, store.Span{Origin: int(r.number()), Raw: r.bytes()})
		}
		t.Spans = m.spans[from:len(m.spans):len(m.spans)]
		m.traces = append(m.traces, t)
	}
}

// unpacker reads from bytes, and notes when there are not enough.
type unpacker struct {
	rest []byte
	bad  bool
}

func (r *unpacker) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	return n * uint64(r.skip(size))
}

func (r *unpacker) signed() int64 {
	n, size := binary.Varint(r.rest)
	return n * int64(r.skip(size))
}

// skip passes over a number, and returns 0 if there is none.
func (r *unpacker) skip(size int) int {
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return 1
}

// count reads how many things follow, each of which has a byte at least.
func (r *unpacker) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *unpacker) bytes() []byte { return r.take(r.count()) }

func (r *unpacker) take(n int) []byte {
	if n > len(r.rest) {
		r.bad, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
