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
	decoder       *zstd.Decoder
	plain, tokens []byte
	// literals has size bytes of literals, and behind them the ids and times of the span at hand, as fields.
	literals []byte
	size     int
	// token and literalAt are where the next of each begins.
	token, literalAt int
	// fields are the numbered ones, as ranges of literals; follower are those that followed them.
	fields   []fieldRange
	follower []uint32

	// look, if it is set, tells whether a span with the field is of interest; looked is what it told of the numbered ones.
	look   func(field []byte) bool
	looked []bool

	lastStart, start uint64
	trace            core.TraceID
	ids              []byte
	before           int

	// parts are the fields of the span at hand. marked: look found it of interest.
	parts  []fieldRange
	marked bool
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
	r.token, r.literalAt, r.size = 0, 0, len(r.literals)
	r.fields, r.follower, r.looked = r.fields[:0], r.follower[:0], r.looked[:0]
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

// span reads the span with the number n of the trace, and returns the number of its origin.
func (r *chunkReader) span(n int) (origin int, err error) {
	o, err := r.number(1 << 31)
	if err != nil {
		return 0, err
	}
	r.start, r.before, r.marked = 0, -1, false
	r.literals, r.parts = r.literals[:r.size], r.parts[:0]
	for {
		token, err := r.number(1 << 32)
		if err != nil {
			return 0, err
		}
		var field fieldRange
		switch {
		case token >= tokenNew:
			field, err = r.numbered(token)
		case token == tokenEnd:
			return int(o), nil
		case token == tokenLiteral, token == tokenRest:
			field, err = r.literal()
			r.marked = r.marked || r.look != nil && err == nil && r.look(r.literals[field.from:field.to])
		default:
			field, err = r.moment(n, token)
		}
		if err != nil {
			return 0, err
		}
		r.parts = append(r.parts, field)
		if token == tokenRest {
			return int(o), nil
		}
	}
}

// raw appends the bytes of the span that was read last.
func (r *chunkReader) raw(to []byte) []byte {
	for _, p := range r.parts {
		to = append(to, r.literals[p.from:p.to]...)
	}
	return to
}

// moment returns one of the ids and times, which have tokens of their own.
func (r *chunkReader) moment(n int, token uint64) (fieldRange, error) {
	from := len(r.literals)
	var err error
	switch token {
	case tokenTrace:
		r.literals = append(append(r.literals, tagTrace, 16), r.trace[:]...)
	case tokenSpan:
		err = r.id(tagSpan, uint64(n))
	case tokenParent:
		if len(r.plain) < 8 {
			return fieldRange{}, damaged("an id is missing")
		}
		r.literals = append(append(r.literals, tagParent, 8), r.plain[:8]...)
		r.plain = r.plain[8:]
	case tokenParentIn:
		var parent uint64
		if parent, err = r.number(uint64(len(r.ids))); err == nil {
			err = r.id(tagParent, parent)
		}
	case tokenStart:
		var d uint64
		d, err = r.difference()
		r.lastStart += d
		r.start = r.lastStart
		r.literals = binary.LittleEndian.AppendUint64(append(r.literals, tagStart), r.start)
	case tokenEndTime:
		var d uint64
		d, err = r.difference()
		r.literals = binary.LittleEndian.AppendUint64(append(r.literals, tagEnd), r.start+d)
	}
	return fieldRange{uint32(from), uint32(len(r.literals))}, err
}

func (r *chunkReader) id(tag byte, n uint64) error {
	if 8*n+8 > uint64(len(r.ids)) {
		return damaged("a span is missing")
	}
	r.literals = append(append(r.literals, tag, 8), r.ids[8*n:8*n+8]...)
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

func (r *chunkReader) literal() (fieldRange, error) {
	n, err := r.number(uint64(r.size - r.literalAt))
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
		field, err := r.literal()
		if err != nil {
			return fieldRange{}, err
		}
		n = len(r.fields)
		r.fields, r.follower = append(r.fields, field), append(r.follower, 0)
		r.looked = append(r.looked, r.look != nil && r.look(r.literals[field.from:field.to]))
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
	r.marked = r.marked || r.looked[n]
	return r.fields[n], nil
}
