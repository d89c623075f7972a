package pebblestore

import (
	"encoding/binary"
)

// The first byte of a key tells what it is of; see the package's documentation.
const (
	keyFormat   = 'f'
	keySequence = 'q'
	keyLog      = 'l'
	keyConsumed = 'c'
	keySummary  = 's'
	keyChunk    = 'b'
	keyTraces   = 't'
	keyIndex    = 'x'
	keyFilters  = 'k'
	keyOrigins  = 'o'
	keyMinute   = 'm'
	keyPart     = 'p'
	keyHour     = 'h'
	keySnapshot = 'n'
	keyParcel   = 'u'
)

// appendKey appends the key of the kind with its numbers.
func appendKey(b []byte, kind byte, numbers ...uint64) []byte {
	b = append(b, kind)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func key(kind byte, numbers ...uint64) []byte {
	return appendKey(make([]byte, 0, 1+8*len(numbers)), kind, numbers...)
}

// keyNumber returns the number with the index i in a key.
func keyNumber(key []byte, i int) (uint64, bool) {
	if len(key) < 1+8*(i+1) {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[1+8*i:]), true
}

// ordered maps minutes and hours to numbers in the same order.
func ordered(n int64) uint64 { return uint64(n) ^ 1<<63 }

func unordered(n uint64) int64 { return int64(n ^ 1<<63) }
