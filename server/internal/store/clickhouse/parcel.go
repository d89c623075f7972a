package clickhouse

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// parcel is a segment on its way to ClickHouse. It never changes.
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

// parcelFormat is the first byte of an encoded parcel.
const parcelFormat = 2

// encodeParcel gives a segment an id and returns it as bytes.
func encodeParcel(g *store.Segment, node string, order uint64) ([]byte, error) {
	size := 1 << 16
	for i := range g.Traces {
		size += 24
		for _, s := range g.Traces[i].Spans {
			size += len(s.Raw) + 8
		}
	}
	b := make([]byte, 0, size)
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
			b = appendBytes(binary.AppendUvarint(b, uint64(s.Origin)), s.Raw)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(g.Profiles)))
	for _, p := range g.Profiles {
		snapshot, err := p.Snapshot.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("the profile of minute %d: %w", p.Minute, err)
		}
		b = appendBytes(binary.AppendVarint(b, p.Minute), snapshot)
	}
	if len(b) > maxParcel {
		return nil, fmt.Errorf("it has %d bytes, %d are allowed", len(b), maxParcel)
	}
	head := make([]byte, 25, 25+s2.MaxEncodedLen(len(b)))
	head[0] = parcelFormat
	if _, err := rand.Read(head[1:17]); err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint64(head[17:], order)
	packed := s2.Encode(head[25:cap(head)], b)
	return head[:25+len(packed)], nil
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func appendBytes(to, b []byte) []byte { return append(binary.AppendUvarint(to, uint64(len(b))), b...) }

// decodeParcel reads what encodeParcel wrote.
func decodeParcel(b []byte) (*parcel, error) {
	if len(b) < 25 || b[0] < 1 || b[0] > parcelFormat {
		return nil, fmt.Errorf("%w: a parcel of another format", store.ErrDamaged)
	}
	p := &parcel{id: [16]byte(b[1:17]), order: binary.BigEndian.Uint64(b[17:]), bytes: int64(len(b))}
	if n, err := s2.DecodedLen(b[25:]); err != nil || n > maxParcel {
		return nil, fmt.Errorf("%w: a parcel of %d bytes", store.ErrDamaged, n)
	}
	body, err := s2.Decode(nil, b[25:])
	if err != nil {
		return nil, fmt.Errorf("%w: parcel: %w", store.ErrDamaged, err)
	}
	r, filed := unpacker{rest: body}, b[0] >= 2
	if filed {
		p.node = string(r.bytes())
	}
	for range r.count() {
		p.segment.Origins = append(p.segment.Origins, store.Origin{Resource: r.bytes(), Scope: r.bytes(), Service: string(r.bytes())})
	}
	traces := r.count()
	p.segment.Traces = make([]store.Trace, 0, min(traces, len(r.rest)/(16+1)))
	parts := make(map[core.TraceID]uint32, cap(p.segment.Traces))
	for range traces {
		t := store.Trace{ID: core.TraceID(r.take(16))}
		if filed {
			t.Withheld, t.Uncounted = r.take(1)[0] == 1, r.bytes()
		}
		p.part = append(p.part, parts[t.ID])
		parts[t.ID]++
		spans := r.count()
		t.Spans = make([]store.Span, 0, min(spans, len(r.rest)/2))
		for range spans {
			t.Spans = append(t.Spans, store.Span{Origin: int(r.number()), Raw: r.bytes()})
		}
		p.spans += int64(len(t.Spans))
		p.segment.Traces = append(p.segment.Traces, t)
	}
	for range r.count() {
		minute, snapshot := r.signed(), &core.Snapshot{}
		if err := snapshot.UnmarshalBinary(r.bytes()); err != nil {
			return nil, fmt.Errorf("%w: parcel: %w", store.ErrDamaged, err)
		}
		p.segment.Profiles = append(p.segment.Profiles, store.Profile{Minute: minute, Snapshot: snapshot})
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: a parcel is cut off", store.ErrDamaged)
	}
	if err := p.segment.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return p, nil
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
