// Package buffer reuses the memory of requests. Fresh memory costs more than what is done with it: the system has to give
// every page of it when it is touched first.
//
// All functions may be called concurrently.
package buffer

import (
	"math/bits"
	"sync"
)

// Sizes of what is kept: powers of two and what is halfway between them. What is smaller is cheap, and what is larger is
// rare.
const (
	minBits = 14 // 16 KiB
	maxBits = 22 // 4 MiB
	classes = 2*(maxBits-minBits) + 1
)

// The garbage collector empties the pools of what nobody has needed for a while.
var pools [classes]sync.Pool

// Get returns an empty buffer with room for so many bytes. What it holds beyond its length is whatever was there before.
func Get(size int) []byte {
	c, ok := classFor(size)
	if !ok {
		return make([]byte, 0, size)
	}
	if b, _ := pools[c].Get().(*[]byte); b != nil {
		return (*b)[:0]
	}
	return make([]byte, 0, sizeOf(c))
}

// Put gives a buffer back that nobody refers to any more, wherever it came from.
func Put(b []byte) {
	c, ok := classFor(cap(b))
	if ok && sizeOf(c) == cap(b) {
		pools[c].Put(&b)
	}
}

// classFor returns the smallest class that has room for so many bytes.
func classFor(size int) (class int, ok bool) {
	if size <= 1<<(minBits-1) || size > 1<<maxBits {
		return 0, false
	}
	n := max(bits.Len(uint(size-1)), minBits) // 2^(n-1) < size <= 2^n
	class = 2 * (n - minBits)
	if class > 0 && size <= sizeOf(class-1) {
		class--
	}
	return class, true
}

// sizeOf returns how many bytes the buffers of a class have: the even ones are the powers of two.
func sizeOf(class int) int {
	if class%2 == 0 {
		return 1 << (minBits + class/2)
	}
	return 3 << (minBits + class/2 - 1)
}
