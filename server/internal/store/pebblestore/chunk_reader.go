package pebblestore

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// maxChunk bounds what a chunk may take in memory, in bytes. A chunk is closed when it holds maxChunkBytes, with the span
// that exceeded it; requests are not larger.
const maxChunk = 512 << 20

// chunkReader reads chunks; one goroutine at a time may use it.
type chunkReader struct {
	decoder                 *zstd.Decoder
	plain, tokens, literals []byte
	// token and literalAt are where the next of each begins.
	token, literalAt int
	// fields are the numbered ones, as ranges of literals.
	fields   []fieldRange
	follower []uint32

	lastStart, start uint64
	trace            core.TraceID
	ids              []byte
	before           int
}

// fieldRange is from where to where a field is. A chunk has less than 4 GiB.
type fieldRange struct{ from, to uint32 }

func damaged(what string) error { return fmt.Errorf("%w: chunk: %s", store.ErrDamaged, what) }

// open begins to read a chunk.
func (r *chunkReader) open(chunk []byte) error {
	body, err := checked(chunk)
	if err != nil {
		return err
	}
	var tokens []byte
	if r.plain, body, err = cutBytes(body); err != nil {
		return err
	}
	if tokens, body, err = cutBytes(body); err != nil {
		return err
	}
	if r.tokens, err = r.decoder.DecodeAll(tokens, r.tokens[:0]); err != nil {
		return fmt.Errorf("%w: chunk: tokens: %w", store.ErrDamaged, err)
	}
	if r.literals, err = r.decoder.DecodeAll(body, r.literals[:0]); err != nil {
		return fmt.Errorf("%w: chunk: literals: %w", store.ErrDamaged, err)
	}
	r.token, r.literalAt = 0, 0
	r.fields, r.follower = r.fields[:0], r.follower[:0]
	r.lastStart = 0
	return nil
}

// cutBytes returns the bytes that stand at the beginning of b behind their length, and what follows.
func cutBytes(b []byte) (head, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, damaged("a length is wrong")
	}
	return b[w : w+int(n)], b[w+int(n):], nil
}

// next returns the id of the next trace and the number of its spans, which must all be read then; false at the end.
func (r *chunkReader) next() (trace core.TraceID, spans int, ok bool, err error) {
	if r.token == len(r.tokens) {
		return trace, 0, false, nil
	}
	n, err := r.number(uint64(len(r.plain)) / 8)
	if err != nil || uint64(len(r.plain)) < 16+8*n {
		return trace, 0, false, damaged("the number of spans is wrong")
	}
	copy(r.trace[:], r.plain)
	r.ids = r.plain[16 : 16+8*n]
	r.plain = r.plain[16+8*n:]
	return r.trace, int(n), true, nil
}

// number returns the next number of the tokens, which must not exceed limit.
func (r *chunkReader) number(limit uint64) (uint64, error) {
	if r.token < len(r.tokens) {
		if n := uint64(r.tokens[r.token]); n < 0x80 && n <= limit {
			r.token++
			return n, nil
		}
	}
	n, w := binary.Uvarint(r.tokens[r.token:])
	if w <= 0 || n > limit {
		return 0, damaged("a number is too large")
	}
	r.token += w
	return n, nil
}

// span reads the span with the number n of the trace: the number of its origin, and its bytes appended to raw. Unless they
// are kept, they are not complete, which is quicker.
func (r *chunkReader) span(n int, raw []byte, keep bool) (origin int, _ []byte, err error) {
	o, err := r.number(1 << 31)
	if err != nil {
		return 0, raw, err
	}
	r.start, r.before = 0, -1
	for {
		token, err := r.number(1 << 32)
		if err != nil {
			return 0, raw, err
		}
		switch {
		case token >= tokenNew:
			field, err := r.numbered(token)
			if err != nil {
				return 0, raw, err
			}
			if keep {
				raw = append(raw, r.literals[field.from:field.to]...)
			}
		case token == tokenEnd:
			return int(o), raw, nil
		default:
			if raw, err = r.field(n, token, raw); err != nil {
				return 0, raw, err
			}
			if token == tokenRest {
				return int(o), raw, nil
			}
		}
	}
}

// field appends one field that has no number to raw.
func (r *chunkReader) field(n int, token uint64, raw []byte) ([]byte, error) {
	switch token {
	case tokenTrace:
		return append(append(raw, tagTrace, 16), r.trace[:]...), nil
	case tokenSpan:
		return r.id(tagSpan, uint64(n), raw)
	case tokenParent:
		if len(r.plain) < 8 {
			return raw, damaged("an id is missing")
		}
		raw = append(append(raw, tagParent, 8), r.plain[:8]...)
		r.plain = r.plain[8:]
		return raw, nil
	case tokenParentIn:
		parent, err := r.number(uint64(len(r.ids)))
		if err != nil {
			return raw, err
		}
		return r.id(tagParent, parent, raw)
	case tokenStart:
		d, err := r.difference()
		r.lastStart += d
		r.start = r.lastStart
		return binary.LittleEndian.AppendUint64(append(raw, tagStart), r.start), err
	case tokenEndTime:
		d, err := r.difference()
		return binary.LittleEndian.AppendUint64(append(raw, tagEnd), r.start+d), err
	}
	b, err := r.literal() // tokenLiteral and tokenRest
	return append(raw, r.literals[b.from:b.to]...), err
}

func (r *chunkReader) id(tag byte, n uint64, raw []byte) ([]byte, error) {
	if 8*n+8 > uint64(len(r.ids)) {
		return raw, damaged("a span is missing")
	}
	return append(append(raw, tag, 8), r.ids[8*n:8*n+8]...), nil
}

func (r *chunkReader) difference() (uint64, error) {
	d, w := binary.Varint(r.plain)
	if w <= 0 {
		return 0, damaged("a time is missing")
	}
	r.plain = r.plain[w:]
	return uint64(d), nil
}

func (r *chunkReader) literal() (fieldRange, error) {
	n, err := r.number(uint64(len(r.literals) - r.literalAt))
	if err != nil {
		return fieldRange{}, err
	}
	from := r.literalAt
	r.literalAt += int(n)
	return fieldRange{uint32(from), uint32(r.literalAt)}, nil
}

// numbered returns a field that has a number, or gets one.
func (r *chunkReader) numbered(token uint64) (fieldRange, error) {
	n := int(token) - tokenKnown
	switch {
	case token == tokenNew:
		b, err := r.literal()
		if err != nil {
			return fieldRange{}, err
		}
		n = len(r.fields)
		r.fields, r.follower = append(r.fields, b), append(r.follower, 0)
	case token == tokenNext:
		if r.before < 0 || r.follower[r.before] == 0 {
			return fieldRange{}, damaged("a field follows nothing")
		}
		n = int(r.follower[r.before]) - 1
	case n >= len(r.fields):
		return fieldRange{}, damaged("a field has no number yet")
	}
	if r.before >= 0 {
		r.follower[r.before] = uint32(n + 1)
	}
	r.before = n
	return r.fields[n], nil
}
