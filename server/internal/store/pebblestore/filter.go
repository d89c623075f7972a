package pebblestore

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// A chunk's filter tells which attributes it may have: a Bloom filter of the hashes of key and value. With filterBits bits
// for each attribute and filterProbes probes one chunk in 500 is read in vain.
const (
	filterBits   = 13
	filterProbes = 7
)

// attributeHash is what a filter holds of an attribute.
func attributeHash(key, value []byte) uint64 {
	return bits.RotateLeft64(xxhash.Sum64(key), 23)*0x9E3779B97F4A7C15 ^ xxhash.Sum64(value)
}

// hashOf is the same for text.
func hashOf(a store.Attribute) uint64 { return attributeHash([]byte(a.Key), []byte(a.Value)) }

// appendFilter appends the filter of the hashes: its size in bytes, then its bits.
func appendFilter(b []byte, hashes []uint64) []byte {
	filter := makeFilter(hashes)
	return append(binary.AppendUvarint(b, uint64(len(filter))), filter...)
}

func makeFilter(hashes []uint64) []byte {
	filter := make([]byte, max(1, (len(hashes)*filterBits+63)/64)*8)
	for _, h := range hashes {
		for at := range probesOf(h).all(uint64(len(filter)) * 8) {
			filter[at>>3] |= 1 << (at & 7)
		}
	}
	return filter
}

// probes are where a filter has to be set for a hash: at the first, and then in equal steps around all of its bits, which is as
// good as independent hashes (Kirsch and Mitzenmacher, Less hashing, same performance, 2006).
type probes struct{ first, step uint64 }

func probesOf(hash uint64) probes {
	return probes{hash, bits.RotateLeft64(hash, 32)*0x9E3779B97F4A7C15 | 1}
}

// all yields the places in a filter of n bits.
func (p probes) all(n uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i := range uint64(filterProbes) {
			if at, _ := bits.Mul64(p.first+i*p.step, n); !yield(at) {
				return
			}
		}
	}
}

// in reports whether all bits are set in the filter.
func (p probes) in(filter []byte) bool {
	if len(filter) == 0 {
		return false
	}
	for at := range p.all(uint64(len(filter)) * 8) {
		if filter[at>>3]>>(at&7)&1 == 0 {
			return false
		}
	}
	return true
}

// cutFilter returns the first filter and what follows.
func cutFilter(b []byte) (filter, rest []byte, err error) { return cutBytes(b) }

// fieldHashes appends the hashes of the attributes in a field of a Span message to hashes.
func fieldHashes(texts *otlp.Texts, hashes []uint64, tag uint32, field []byte) []uint64 {
	if tag == tagAttribute {
		if key, value, ok := plainText(field); ok {
			return append(hashes, attributeHash(key, value))
		}
	}
	// The field alone is a Span message too.
	texts.Span(field, func(key, text []byte) bool {
		hashes = append(hashes, attributeHash(key, text))
		return true
	})
	return hashes
}

// plainText returns key and value of an attribute that is a short text in the usual encoding: one byte for each length.
func plainText(field []byte) (key, value []byte, ok bool) {
	// tag, length, (1 key) tag, length, key, (2 value) tag, length, (1 string) tag, length, text
	if len(field) < 8 || field[1] != byte(len(field)-2) || field[1] >= 0x80 || field[2] != 1<<3|2 || field[3] >= 0x80 {
		return nil, nil, false
	}
	k := 4 + int(field[3])
	if k+4 > len(field) || field[k] != 2<<3|2 || field[k+2] != 1<<3|2 ||
		int(field[k+1]) != len(field)-k-2 || int(field[k+3]) != len(field)-k-4 {
		return nil, nil, false
	}
	return field[4:k], field[k+4:], true
}
