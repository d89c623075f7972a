package exporter

import (
	"errors"
	"math/bits"
)

// Numbers are packed as exponential Golomb codes: of order k, a number v is written as v>>k + 1, whose length in bits
// less 1 goes before it as so many zero bits, and then the k lowest bits of v. That is short for numbers up to some
// 2^(k+1), and still possible for all others.

// bitWriter writes a stream of bits, the most significant bit of a byte first. The last byte is filled up with zeros.
type bitWriter struct {
	out []byte
	// free is how many bits of the last byte are not used yet.
	free int
}

// bits writes the n lowest bits of v.
func (w *bitWriter) bits(v uint64, n int) {
	for n > 0 {
		if w.free == 0 {
			w.out, w.free = append(w.out, 0), 8
		}
		take := min(n, w.free)
		n, w.free = n-take, w.free-take
		w.out[len(w.out)-1] |= byte(v>>n&(1<<take-1)) << w.free
	}
}

func (w *bitWriter) bool(b bool) {
	if b {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
	}
}

// number writes v with a code of order k, 0 to 63.
func (w *bitWriter) number(v uint64, k int) {
	x := v>>k + 1
	if x == 0 { // k is 0 and v the largest number: x has 65 bits
		w.bits(0, 64)
		w.bits(1, 1)
		w.bits(0, 64)
		return
	}
	length := bits.Len64(x)
	w.bits(0, length-1)
	w.bits(x, length)
	w.bits(v, k)
}

// signed writes v with a code of order k for 2v, or for -2v-1 if it is negative.
func (w *bitWriter) signed(v int64, k int) { w.number(uint64(v)<<1^uint64(v>>63), k) }

// bitReader reads what a bitWriter wrote.
type bitReader struct {
	in []byte
	// at is the position in bits.
	at int
}

var errBitsEnd = errors.New("it ends too early")

func (r *bitReader) left() int { return 8*len(r.in) - r.at }

func (r *bitReader) bits(n int) (v uint64, err error) {
	if n > r.left() {
		return 0, errBitsEnd
	}
	for n > 0 {
		unused := 8 - r.at%8
		take := min(n, unused)
		v = v<<take | uint64(r.in[r.at/8])>>(unused-take)&(1<<take-1)
		n, r.at = n-take, r.at+take
	}
	return v, nil
}

func (r *bitReader) bool() (bool, error) {
	v, err := r.bits(1)
	return v == 1, err
}

func (r *bitReader) number(k int) (uint64, error) {
	zeros := 0
	for {
		one, err := r.bool()
		if err != nil {
			return 0, err
		}
		if one {
			break
		}
		if zeros++; zeros > 64 {
			return 0, errors.New("a number of more than 64 bits")
		}
	}
	x, err := r.bits(zeros)
	if err != nil {
		return 0, err
	}
	low, err := r.bits(k)
	if err != nil {
		return 0, err
	}
	if zeros == 64 { // x has 65 bits
		if x != 0 || k > 0 {
			return 0, errors.New("a number of more than 64 bits")
		}
		return 1<<64 - 1, nil
	}
	x = (x | 1<<zeros) - 1
	if bits.Len64(x)+k > 64 {
		return 0, errors.New("a number of more than 64 bits")
	}
	return x<<k | low, nil
}

func (r *bitReader) signed(k int) (int64, error) {
	v, err := r.number(k)
	return int64(v>>1) ^ -int64(v&1), err
}

// end returns an error if there is more than the zeros that fill up the last byte.
func (r *bitReader) end() error {
	n := r.left()
	if n < 8 {
		if v, err := r.bits(n); err != nil || v == 0 {
			return err
		}
	}
	return errors.New("it goes on after its end")
}

// order adapts the order of a code to a sequence of numbers, whose neighbours are much alike: it follows their mean, in
// which each counts for half of what the next does.
type order struct{ twiceTheMean uint64 }

func (o *order) next() int { return min(max(bits.Len64(o.twiceTheMean)-2, 0), 62) }

func (o *order) saw(v uint64) {
	if o.twiceTheMean = o.twiceTheMean/2 + v; o.twiceTheMean < v {
		o.twiceTheMean = v // it does not fit
	}
}

func (w *bitWriter) adaptive(v uint64, o *order) {
	w.number(v, o.next())
	o.saw(v)
}

func (r *bitReader) adaptive(o *order) (uint64, error) {
	v, err := r.number(o.next())
	o.saw(v)
	return v, err
}
