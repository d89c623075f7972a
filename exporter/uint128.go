package exporter

import (
	"math/bits"

	"github.com/stichotrope/stichotrope-go/core"
)

func square(n uint64) (p core.Uint128) {
	p.Hi, p.Lo = bits.Mul64(n, n)
	return p
}

// add128 returns a sum, modulo 2^128, and whether it is over that.
func add128(a, b core.Uint128) (sum core.Uint128, over bool) {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, carry := bits.Add64(a.Hi, b.Hi, carry)
	return core.Uint128{Hi: hi, Lo: lo}, carry > 0
}

// addTimes returns a and n times b, modulo 2^128, and whether it is over that.
func addTimes(a, b core.Uint128, n uint64) (sum core.Uint128, over bool) {
	carry, lo := bits.Mul64(b.Lo, n)
	excess, hi := bits.Mul64(b.Hi, n)
	hi, more := bits.Add64(hi, carry, 0)
	sum, over = add128(a, core.Uint128{Hi: hi, Lo: lo})
	return sum, over || excess > 0 || more > 0
}

// sub128 returns a difference, modulo 2^128.
func sub128(a, b core.Uint128) core.Uint128 {
	lo, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	hi, _ := bits.Sub64(a.Hi, b.Hi, borrow)
	return core.Uint128{Hi: hi, Lo: lo}
}

func less128(a, b core.Uint128) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// lengthOf returns the number of bits of n.
func lengthOf(n core.Uint128) int {
	if n.Hi > 0 {
		return 64 + bits.Len64(n.Hi)
	}
	return bits.Len64(n.Lo)
}
