package core

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
)

// Uint128 is an unsigned 128-bit number. Its text form is decimal.
type Uint128 struct{ Hi, Lo uint64 }

// Float64 returns a float64 within one unit in the last place of the number.
func (u Uint128) Float64() float64 { return float64(u.Hi)*0x1p64 + float64(u.Lo) }

// String returns the number in decimal.
func (u Uint128) String() string { return u.big().String() }

// MarshalText writes the number in decimal.
func (u Uint128) MarshalText() ([]byte, error) { return u.big().MarshalText() }

// UnmarshalText reads a decimal number.
func (u *Uint128) UnmarshalText(text []byte) error {
	const digits = 39 // of 2^128-1
	var n big.Int
	if len(text) > digits {
		return fmt.Errorf("number of %d characters, want at most %d", len(text), digits)
	}
	if _, ok := n.SetString(string(text), 10); !ok {
		return fmt.Errorf("%q is not a decimal number", text)
	}
	if n.Sign() < 0 || n.BitLen() > 128 {
		return fmt.Errorf("number %s is not in 0 to 2^128-1", &n)
	}
	u.Hi, u.Lo = new(big.Int).Rsh(&n, 64).Uint64(), new(big.Int).And(&n, maxUint64).Uint64()
	return nil
}

var maxUint64 = new(big.Int).SetUint64(math.MaxUint64)

func (u Uint128) big() *big.Int {
	n := new(big.Int).SetUint64(u.Hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(u.Lo))
}

// add saturates at 2^128-1.
func (u Uint128) add(o Uint128) Uint128 {
	lo, c := bits.Add64(u.Lo, o.Lo, 0)
	hi, c := bits.Add64(u.Hi, o.Hi, c)
	if c != 0 {
		return Uint128{math.MaxUint64, math.MaxUint64}
	}
	return Uint128{hi, lo}
}

// sub stops at 0.
func (u Uint128) sub(o Uint128) Uint128 {
	lo, b := bits.Sub64(u.Lo, o.Lo, 0)
	hi, b := bits.Sub64(u.Hi, o.Hi, b)
	if b != 0 {
		return Uint128{}
	}
	return Uint128{hi, lo}
}

// less reports whether u < o.
func (u Uint128) less(o Uint128) bool { return u.Hi < o.Hi || u.Hi == o.Hi && u.Lo < o.Lo }
