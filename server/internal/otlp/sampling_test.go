package otlp

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdjustedCount(t *testing.T) {
	for _, c := range []struct {
		state string
		want  uint64
		ok    bool
	}{
		{"", 0, false}, {"vendor=x", 0, false}, {"ot=rv:0123456789abcd", 0, false}, {"not=th:8", 0, false}, {"vendor=ot=th:8", 0, false},
		{"ot=th:", 0, false}, {"ot=th:g", 0, false}, {"ot=th:C", 0, false}, {"ot=th:0123456789abcde", 0, false}, {"ot=xth:8", 0, false}, {"ot", 0, false},
		{"ot=th:0", 1024, true}, {"ot=th:8", 2048, true}, {"ot=th:c", 4096, true}, {"ot=th:f", 16384, true}, {"ot=th:80000000000000", 2048, true},
		{"vendor=1, ot=rv:0123456789abcd;th:c;x:1 ,other=2", 4096, true},
		{"ot=th:ffffffffffffff", 1<<64 - 1, true}, // 2^66 1024ths do not fit
	} {
		got, ok := AdjustedCount([]byte(c.state))
		require.Equal(t, c.ok, ok, c.state)
		require.Equal(t, c.want, got, c.state)
	}
}

func TestAdjustedCountIsRoundedRight(t *testing.T) {
	all, _ := new(big.Int).SetString("100000000000000", 16)
	for _, digits := range []string{"1", "3", "aaa", "fd70a3d70a3d7", "fffffffffffff", "ffffffffff", "55555555555555", "e66666", "fffffffffffff8"} {
		threshold, _ := new(big.Int).SetString(digits+strings.Repeat("0", 14-len(digits)), 16)
		kept := new(big.Int).Sub(all, threshold)
		want := new(big.Int).Mul(all, big.NewInt(1024))
		want.Add(want, new(big.Int).Rsh(kept, 1)).Quo(want, kept)
		got, ok := AdjustedCount([]byte("ot=th:" + digits))
		require.True(t, ok)
		require.Equal(t, want.String(), new(big.Int).SetUint64(got).String(), digits)
	}
}
