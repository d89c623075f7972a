// Package buffer reuses the memory of requests. Fresh memory costs more than what is done with it: the system has to give
// every page of it when it is touched first.
//
// All functions may be called concurrently.
package buffer

import (
	"math/bits"
	"sync"
)

// Sizes of what is kept: powers of two, and three between each two of them. What is smaller is cheap, and what is larger
// is rare.
const (
	minBits = 14 // 16 KiB
	maxBits = 22 // 4 MiB
	steps   = 4
	classes = steps*(maxBits-minBits) + 1
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

// Size returns how much room the buffer has that Get returns for so many bytes.
func Size(size int) int {
	if c, ok := classFor(size); ok {
		return sizeOf(c)
	}
	return size
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
	if size <= 1<<minBits {
		return 0, true
	}
	n := bits.Len(uint(size-1)) - 1 // 2^n < size <= 2^(n+1)
	step := 1 << n / steps
	return steps*(n-minBits) + (size-1<<n+step-1)/step, true
}

// sizeOf returns how many bytes the buffers of a class have.
func sizeOf(class int) int { return (steps + class%steps) << (minBits + class/steps) / steps }
