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
	tokensBuf, literalsBuf  []byte
	// fields are the numbered ones, as ranges of literals.
	fields   [][]byte
	follower []uint32

	lastStart, start uint64
	trace            core.TraceID
	ids              []byte
	before           int
	raw              []byte
}

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
	if r.tokensBuf, err = r.decoder.DecodeAll(tokens, r.tokensBuf[:0]); err != nil {
		return fmt.Errorf("%w: chunk: tokens: %w", store.ErrDamaged, err)
	}
	if r.literalsBuf, err = r.decoder.DecodeAll(body, r.literalsBuf[:0]); err != nil {
		return fmt.Errorf("%w: chunk: literals: %w", store.ErrDamaged, err)
	}
	r.tokens, r.literals = r.tokensBuf, r.literalsBuf
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
	if len(r.tokens) == 0 {
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
	if len(r.tokens) > 0 && r.tokens[0] < 0x80 {
		n := uint64(r.tokens[0])
		if n > limit {
			return 0, damaged("a number is too large")
		}
		r.tokens = r.tokens[1:]
		return n, nil
	}
	n, w := binary.Uvarint(r.tokens)
	if w <= 0 || n > limit {
		return 0, damaged("a number is too large")
	}
	r.tokens = r.tokens[w:]
	return n, nil
}

// span reads the span with the number n of the trace: the number of its origin, and its bytes appended to raw.
func (r *chunkReader) span(n int, raw []byte) (origin int, _ []byte, err error) {
	o, err := r.number(1 << 31)
	if err != nil {
		return 0, raw, err
	}
	r.raw, r.start, r.before = raw, 0, -1
	for {
		token, err := r.number(1 << 32)
		if err == nil && token == tokenEnd {
			return int(o), r.raw, nil
		}
		if err == nil {
			err = r.field(n, token)
		}
		if err != nil {
			return 0, r.raw, err
		}
		if token == tokenRest {
			return int(o), r.raw, nil
		}
	}
}

// field appends one field to raw.
func (r *chunkReader) field(n int, token uint64) error {
	switch token {
	case tokenLiteral, tokenRest:
		b, err := r.literal()
		r.raw = append(r.raw, b...)
		return err
	case tokenTrace:
		r.raw = append(append(r.raw, tagTrace, 16), r.trace[:]...)
	case tokenSpan:
		return r.id(tagSpan, uint64(n))
	case tokenParent:
		if len(r.plain) < 8 {
			return damaged("an id is missing")
		}
		r.raw = append(append(r.raw, tagParent, 8), r.plain[:8]...)
		r.plain = r.plain[8:]
	case tokenParentIn:
		parent, err := r.number(uint64(len(r.ids)))
		if err != nil {
			return err
		}
		return r.id(tagParent, parent)
	case tokenStart:
		d, err := r.difference()
		r.lastStart += d
		r.start = r.lastStart
		r.raw = binary.LittleEndian.AppendUint64(append(r.raw, tagStart), r.start)
		return err
	case tokenEndTime:
		d, err := r.difference()
		r.raw = binary.LittleEndian.AppendUint64(append(r.raw, tagEnd), r.start+d)
		return err
	default:
		return r.numbered(token)
	}
	return nil
}

func (r *chunkReader) id(tag byte, n uint64) error {
	if 8*n+8 > uint64(len(r.ids)) {
		return damaged("a span is missing")
	}
	r.raw = append(append(r.raw, tag, 8), r.ids[8*n:8*n+8]...)
	return nil
}

func (r *chunkReader) difference() (uint64, error) {
	d, w := binary.Varint(r.plain)
	if w <= 0 {
		return 0, damaged("a time is missing")
	}
	r.plain = r.plain[w:]
	return uint64(d), nil
}

func (r *chunkReader) literal() ([]byte, error) {
	n, err := r.number(uint64(len(r.literals)))
	if err != nil {
		return nil, err
	}
	b := r.literals[:n]
	r.literals = r.literals[n:]
	return b, nil
}

// numbered appends a field that has a number, or gets one.
func (r *chunkReader) numbered(token uint64) error {
	n := int(token) - tokenKnown
	switch {
	case token == tokenNew:
		b, err := r.literal()
		if err != nil {
			return err
		}
		n = len(r.fields)
		r.fields, r.follower = append(r.fields, b), append(r.follower, 0)
	case token == tokenNext:
		if r.before < 0 || r.follower[r.before] == 0 {
			return damaged("a field follows nothing")
		}
		n = int(r.follower[r.before]) - 1
	case n >= len(r.fields):
		return damaged("a field has no number yet")
	}
	if r.before >= 0 {
		r.follower[r.before] = uint32(n + 1)
	}
	r.before = n
	r.raw = append(r.raw, r.fields[n]...)
	return nil
}
