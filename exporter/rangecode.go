package exporter

import (
	"math/bits"
)

// A range coder packs a sequence of choices into the fewest bits: one that takes a share of 1/8 of all possibilities takes
// 3 bits, and one of 0.9 takes 0.15. It narrows down an interval of numbers, choice by choice, and what is written is a
// number in it. All is done in whole numbers, so that every machine comes to the same.

// leastWidth is how wide the interval is at least before a choice. There can be up to 2^47 possibilities, of which each
// then gets its share to within 0.2 %.
const leastWidth = 1 << 56

// rangeWriter writes choices. Use newRangeWriter.
type rangeWriter struct {
	out []byte
	// begin and width are the interval, in units of the byte that comes next, times 2^-56.
	begin, width uint64
}

func newRangeWriter() *rangeWriter { return &rangeWriter{width: 1<<64 - 1} }

// choose writes a choice that takes the possibilities from begin on, size of a total of up to 2^47.
func (w *rangeWriter) choose(begin, size, total uint64) {
	unit := w.width / total
	from := w.begin
	w.begin += unit * begin
	w.width = unit * size
	if w.begin < from {
		w.carry()
	}
	for w.width < leastWidth {
		w.out = append(w.out, byte(w.begin>>56))
		w.begin, w.width = w.begin<<8, w.width<<8
	}
}

// carry adds 1 to the number that the bytes are.
func (w *rangeWriter) carry() {
	for i := len(w.out) - 1; ; i-- {
		if w.out[i]++; w.out[i] != 0 {
			return
		}
	}
}

// bits writes the n lowest bits of v.
func (w *rangeWriter) bits(v uint64, n int) {
	for n > 0 {
		take := min(n, 32)
		n -= take
		w.choose(v>>n&(1<<take-1), 1, 1<<take)
	}
}

// part writes which part of n there is in one half, when that is as probable as if both halves had got one each before, and
// every further one had followed one that was there. What is over 16 bits is taken for random.
func (w *rangeWriter) part(k, n uint64) {
	shift := max(bits.Len64(n)-16, 0)
	w.choose(below(k>>shift, n>>shift), below(k>>shift+1, n>>shift)-below(k>>shift, n>>shift), below(n>>shift+1, n>>shift))
	w.bits(k&(1<<shift-1), shift)
}

// below returns how many possibilities there are of less than k out of n: the sum of (i+1)(n-i+1) for each of them.
func below(k, n uint64) uint64 { return k * (k + 1) * (3*n + 5 - 2*k) / 6 }

// finish writes all to a stream of bits. Its last byte makes a number that is in the interval, which is wide enough for that.
func (w *rangeWriter) finish(to *bitWriter) {
	if last := w.begin + leastWidth - 1; last < w.begin {
		w.carry()
		w.out = append(w.out, 0)
	} else {
		w.out = append(w.out, byte(last>>56))
	}
	for _, b := range w.out {
		to.bits(uint64(b), 8)
	}
}

// rangeReader reads what a rangeWriter wrote. Use newRangeReader.
type rangeReader struct {
	in *bitReader
	// at is where the bits begin, and shifted how many bytes the interval has moved on since.
	at, shifted int
	// offset is the distance of the number that was written from the beginning of the interval.
	offset, width uint64
	// missing is how many bytes were read after the end, as zeros.
	missing int
}

// lookAhead is how many bytes are read before they are needed, less 1: those after the end.
const lookAhead = 7

func newRangeReader(in *bitReader) (*rangeReader, error) {
	r := &rangeReader{in: in, at: in.at, width: 1<<64 - 1}
	for range lookAhead + 1 {
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rangeReader) next() error {
	var b uint64
	if r.in.left() >= 8 {
		b, _ = r.in.bits(8)
	} else if r.missing++; r.missing > lookAhead {
		return errBitsEnd
	}
	r.offset = r.offset<<8 | b
	return nil
}

// position returns a number of one of the possibilities that were chosen.
func (r *rangeReader) position(total uint64) uint64 { return min(r.offset/(r.width/total), total-1) }

// chosen goes on after a choice.
func (r *rangeReader) chosen(begin, size, total uint64) error {
	unit := r.width / total
	r.offset -= unit * begin
	r.width = unit * size
	for r.width < leastWidth {
		if err := r.next(); err != nil {
			return err
		}
		r.width <<= 8
		r.shifted++
	}
	return nil
}

// uniform reads a number below total, all of which are as probable.
func (r *rangeReader) uniform(total uint64) (uint64, error) {
	v := r.position(total)
	return v, r.chosen(v, 1, total)
}

func (r *rangeReader) bits(n int) (v uint64, err error) {
	for n > 0 && err == nil {
		var part uint64
		take := min(n, 32)
		n -= take
		part, err = r.uniform(1 << take)
		v = v<<take | part
	}
	return v, err
}

// part reads a number up to n, which may be too large by what was taken for random.
func (r *rangeReader) part(n uint64) (uint64, error) {
	shift := max(bits.Len64(n)-16, 0)
	high := n >> shift
	total := below(high+1, high)
	at := r.position(total)
	k, above := uint64(0), high
	for k < above {
		if middle := (k + above + 1) / 2; below(middle, high) <= at {
			k = middle
		} else {
			above = middle - 1
		}
	}
	if err := r.chosen(below(k, high), below(k+1, high)-below(k, high), total); err != nil {
		return 0, err
	}
	low, err := r.bits(shift)
	return k<<shift | low, err
}

// finish sets the stream of bits to the end of what was written.
func (r *rangeReader) finish() { r.in.at = r.at + 8*(r.shifted+1) }
