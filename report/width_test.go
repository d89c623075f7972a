package report

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDisplayWidth(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "abc": 3, "µs": 2, "é": 1, "e\u0301": 1, "世界": 4, "한글": 4, "カナ": 4, "ＡＢ": 4, "😀": 2, "├─ ": 3, "…": 1, "русский": 7,
	} {
		require.Equal(t, want, displayWidth(s), "%q", s)
	}
}

func TestClip(t *testing.T) {
	require.Equal(t, "abcdef", clip("abcdef", 0))
	require.Equal(t, "abcdef", clip("abcdef", 6))
	require.Equal(t, "abcd…", clip("abcdef", 5))
	require.Equal(t, "世…", clip("世界世界", 4))
	require.Equal(t, "世界", clip("世界", 4))
	require.Equal(t, "…", clip("ab", 1))

	require.Equal(t, "abcdef", clipFront("abcdef", 0))
	require.Equal(t, "abcdef", clipFront("abcdef", 6))
	require.Equal(t, "…cdef", clipFront("abcdef", 5))
	require.Equal(t, "…界", clipFront("世界世界", 4))
	require.Equal(t, "…", clipFront("ab", 1))
}
