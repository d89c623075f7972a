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

// chunkReader reads chunks; one goroutine at a time may use it. Most spans are only passed, so a span is put together, by raw,
// when somebody wants it: reading one notes which fields it has, as their tokens tell.
type chunkReader struct {
	decoder *zstd.Decoder
	// at is the chunk that the reader has, if it was opened; whole is all of its plain bytes.
	at                      chunkPlace
	opened                  bool
	whole                   []byte
	plain, tokens, literals []byte
	// token and literalAt are where the next of each begins.
	token, literalAt int
	// numbered are the fields that have a number.
	numbered []numberedField

	// look, if it is set, tells whether a span with the field is of interest.
	look func(field []byte) bool

	lastStart, start uint64
	trace            core.TraceID
	ids              []byte

	// parts are those of the span at hand, values what its ids and times are. marked: look found it of interest.
	parts  []spanPart
	values []uint64
	marked bool
}

// numberedField is a field that has a number.
type numberedField struct {
	where spanPart
	// follower is the number of the field that last followed it, plus one.
	follower uint32
	// marked is what look told of it.
	marked bool
}

// spanPart is from and to where in the literals a part of a span is, 32 bits each, or partValue with the token of an id or a time,
// of which the value is the next one.
type spanPart uint64

const partValue spanPart = 1 << 63 // no literals are that far: see maxChunk

func damaged(what string) error { return fmt.Errorf("%w: chunk: %s", store.ErrDamaged, what) }

// open begins to read a chunk.
func (r *chunkReader) open(chunk []byte) error {
	body, err := checked(chunk)
	if err != nil {
		return err
	}
	var plain, tokens []byte
	if plain, body, err = cutBytes(body); err != nil {
		return err
	}
	if tokens, body, err = cutBytes(body); err != nil {
		return err
	}
	r.whole = append(r.whole[:0], plain...)
	if r.tokens, err = r.decoder.DecodeAll(tokens, r.tokens[:0]); err != nil {
		return fmt.Errorf("%w: chunk: tokens: %w", store.ErrDamaged, err)
	}
	if r.literals, err = r.decoder.DecodeAll(body, r.literals[:0]); err != nil {
		return fmt.Errorf("%w: chunk: literals: %w", store.ErrDamaged, err)
	}
	r.rewind()
	return nil
}

// rewind goes back to the beginning of the chunk.
func (r *chunkReader) rewind() {
	r.plain, r.token, r.literalAt, r.lastStart = r.whole, 0, 0, 0
	r.numbered = r.numbered[:0]
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
	r.start, r.values = 0, r.values[:0]
	parts, marked := r.parts[:0], false
	before := -1 // the number of the field before
	for {
		var token uint64
		if r.token < len(r.tokens) && r.tokens[r.token] < 0x80 { // nearly always
			token = uint64(r.tokens[r.token])
			r.token++
		} else if token, err = r.number(1 << 32); err != nil {
			return 0, err
		}
		switch {
		case token >= tokenNew:
			if before, err = r.field(token, before); err != nil {
				return 0, err
			}
			marked = marked || r.numbered[before].marked
			parts = append(parts, r.numbered[before].where)
		case token == tokenLiteral, token == tokenRest:
			part, mark, err := r.literal()
			if err != nil {
				return 0, err
			}
			marked = marked || mark
			parts = append(parts, part)
		case token != tokenEnd:
			if err := r.moment(n, token); err != nil {
				return 0, err
			}
			parts = append(parts, partValue|spanPart(token))
		}
		if token == tokenEnd || token == tokenRest {
			r.parts, r.marked = parts, marked
			return int(o), nil
		}
	}
}

// field returns the number of the field that the token stands for, and notes that it follows that with the number before.
func (r *chunkReader) field(token uint64, before int) (n int, err error) {
	n = int(token) - tokenKnown
	switch {
	case token == tokenNext:
		if before < 0 || r.numbered[before].follower == 0 {
			return 0, damaged("a field follows nothing")
		}
		return int(r.numbered[before].follower) - 1, nil
	case token == tokenNew:
		part, mark, err := r.literal()
		if err != nil {
			return 0, err
		}
		n = len(r.numbered)
		r.numbered = append(r.numbered, numberedField{where: part, marked: mark})
	case n >= len(r.numbered):
		return 0, damaged("a field has no number yet")
	}
	if before >= 0 {
		r.numbered[before].follower = uint32(n + 1)
	}
	return n, nil
}

// literal returns the next bytes of the literals, and what look tells of them.
func (r *chunkReader) literal() (part spanPart, marked bool, err error) {
	n, err := r.number(uint64(len(r.literals) - r.literalAt))
	if err != nil {
		return 0, false, err
	}
	from := r.literalAt
	r.literalAt += int(n)
	return spanPart(from)<<32 | spanPart(r.literalAt), r.look != nil && r.look(r.literals[from:r.literalAt]), nil
}

// moment reads an id or a time, which have tokens of their own.
func (r *chunkReader) moment(n int, token uint64) (err error) {
	var value uint64
	switch token {
	case tokenTrace:
		return nil // it is at hand
	case tokenSpan:
		value, err = r.id(uint64(n))
	case tokenParent:
		if len(r.plain) < 8 {
			return damaged("an id is missing")
		}
		value = binary.LittleEndian.Uint64(r.plain)
		r.plain = r.plain[8:]
	case tokenParentIn:
		if value, err = r.number(uint64(len(r.ids))); err == nil {
			value, err = r.id(value)
		}
	case tokenStart:
		value, err = r.difference()
		r.lastStart += value
		r.start = r.lastStart
		value = r.start
	case tokenEndTime:
		value, err = r.difference()
		value += r.start
	}
	r.values = append(r.values, value)
	return err
}

func (r *chunkReader) id(n uint64) (uint64, error) {
	if 8*n+8 > uint64(len(r.ids)) {
		return 0, damaged("a span is missing")
	}
	return binary.LittleEndian.Uint64(r.ids[8*n:]), nil
}

func (r *chunkReader) difference() (uint64, error) {
	d, w := binary.Varint(r.plain)
	if w <= 0 {
		return 0, damaged("a time is missing")
	}
	r.plain = r.plain[w:]
	return uint64(d), nil
}

// raw appends the bytes of the span that was read last.
func (r *chunkReader) raw(to []byte) []byte {
	values := r.values
	for _, p := range r.parts {
		if p&partValue == 0 {
			to = append(to, r.literals[p>>32:uint32(p)]...)
			continue
		}
		switch p &^ partValue {
		case tokenTrace:
			to = append(append(to, tagTrace, 16), r.trace[:]...)
			continue
		case tokenSpan:
			to = append(to, tagSpan, 8)
		case tokenParent, tokenParentIn:
			to = append(to, tagParent, 8)
		case tokenStart:
			to = append(to, tagStart)
		case tokenEndTime:
			to = append(to, tagEnd)
		}
		to = binary.LittleEndian.AppendUint64(to, values[0])
		values = values[1:]
	}
	return to
}
