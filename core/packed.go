package core

import (
	"maps"
	"math/bits"
	"sync"
)

const chunkSize = 16

// chunk holds the counts of 16 neighbouring buckets, a quarter of an octave.
type chunk [chunkSize]uint32

// chunkSet says which chunks there are: bit c is for the buckets 16c-1 … 16c+14. Live durations are below 2^63 and
// need 253 of the 256.
type chunkSet [4]uint64

func (s *chunkSet) put(c uint) { s[c/64] |= 1 << (c % 64) }

func (s *chunkSet) has(c uint) bool { return s[c/64]>>(c%64)&1 != 0 }

func (s *chunkSet) len() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2]) + bits.OnesCount64(s[3])
}

// rank returns how many chunks stand before c.
func (s *chunkSet) rank(c uint) int {
	n := bits.OnesCount64(s[c/64] & (1<<(c%64) - 1))
	for _, word := range s[:c/64] {
		n += bits.OnesCount64(word)
	}
	return n
}

// union returns what is in s or o.
func (s *chunkSet) union(o *chunkSet) chunkSet {
	return chunkSet{s[0] | o[0], s[1] | o[1], s[2] | o[2], s[3] | o[3]}
}

// all yields the chunks in ascending order.
func (s *chunkSet) all(yield func(c uint) bool) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(uint(64*w + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// packed is the non-empty part of a histogram, 4 bytes a bucket. It is shared: a live histogram, snapshots and what was
// made of them may hold the same one. So it is never changed, but by who has just made it.
type packed struct {
	present chunkSet
	chunks  []chunk // of those present, ascending
	// carry holds the multiples of 2^32 of the counts, by bucket index + 1, the number of the counter.
	carry map[int]uint64
}

// all yields the non-empty buckets in ascending order.
func (p *packed) all(yield func(Bucket) bool) {
	k := 0
	for c := range p.present.all {
		first := int(c) * chunkSize
		for j, n := range &p.chunks[k] {
			count := uint64(n)
			if p.carry != nil {
				count = addSat(count, p.carry[first+j])
			}
			if count != 0 && !yield(Bucket{Index: int32(first + j - 1), Count: count}) {
				return
			}
		}
		k++
	}
}

// len returns the number of non-empty buckets.
func (p *packed) len() int {
	n := 0
	for range p.all {
		n++
	}
	return n
}

// sum is everything in its parts, added up when somebody looks: many a histogram in a snapshot is never looked at.
type sum struct {
	parts []*packed
	once  sync.Once
	total *packed
}

// sumOf returns the histogram with so many zeros and what the parts add up to.
func sumOf(zero uint64, parts []*packed) Histogram {
	switch len(parts) {
	case 0:
		return Histogram{Zero: zero}
	case 1:
		return Histogram{Zero: zero, shared: parts[0]}
	}
	return Histogram{Zero: zero, sum: &sum{parts: parts}}
}

func (s *sum) get() *packed {
	s.once.Do(func() {
		s.total = &packed{}
		for _, p := range s.parts {
			s.total.present = s.total.present.union(&p.present)
		}
		s.total.chunks = make([]chunk, s.total.present.len())
		for _, p := range s.parts {
			s.total.add(p)
		}
		s.parts = nil
	})
	return s.total
}

func (p *packed) clone() *packed {
	return &packed{present: p.present, chunks: append([]chunk(nil), p.chunks...), carry: maps.Clone(p.carry)}
}

// add merges o into p, which must belong to the caller alone.
func (p *packed) add(o *packed) {
	if all := p.present.union(&o.present); all != p.present {
		p.widen(all)
	}
	k := 0
	for c := range o.present.all {
		to, from := &p.chunks[p.present.rank(c)], &o.chunks[k]
		for j, n := range from {
			sum, over := bits.Add32(to[j], n, 0)
			if to[j] = sum; over != 0 {
				p.carryOver(int(c)*chunkSize+j, 1<<32)
			}
		}
		k++
	}
	for i, n := range o.carry {
		p.carryOver(i, n)
	}
}

func (p *packed) carryOver(counter int, n uint64) {
	if p.carry == nil {
		p.carry = make(map[int]uint64)
	}
	p.carry[counter] = addSat(p.carry[counter], n)
}

// widen makes room for further chunks.
func (p *packed) widen(present chunkSet) {
	chunks := make([]chunk, present.len())
	k := 0
	for c := range p.present.all {
		chunks[present.rank(c)] = p.chunks[k]
		k++
	}
	p.present, p.chunks = present, chunks
}
