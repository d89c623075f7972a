package pebblestore

import (
	"encoding/binary"
	"math/bits"

	"github.com/bits-and-blooms/bloom/v3"
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
	words := max(1, (len(hashes)*filterBits+63)/64)
	f := bloom.New(uint(words*64), filterProbes)
	var key [8]byte
	for _, h := range hashes {
		binary.LittleEndian.PutUint64(key[:], h)
		f.Add(key[:])
	}
	b = binary.AppendUvarint(b, uint64(words*8))
	for _, w := range f.BitSet().Words() {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// probes are where a filter has to be set for a hash.
type probes []uint64

func probesOf(hash uint64) probes {
	return bloom.Locations(binary.LittleEndian.AppendUint64(nil, hash), filterProbes)
}

// in reports whether all bits are set in the filter.
func (p probes) in(filter []byte) bool {
	n := uint64(len(filter)) * 8
	if n == 0 {
		return false
	}
	for _, at := range p {
		if i := at % n; filter[i>>3]>>(i&7)&1 == 0 {
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
