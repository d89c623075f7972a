package otelprof

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatchPatternAgreesWithRegexp(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	word := func(letters string) string {
		b := make([]byte, random.IntN(9))
		for i := range b {
			b[i] = letters[random.IntN(len(letters))]
		}
		return string(b)
	}
	matched := 0
	for range 20000 {
		pattern, name := word("ab/**"), word("ab/")
		re := regexp.MustCompile(`^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `$`)
		require.Equal(t, re.MatchString(name), matchPattern(pattern, name), "%q %q", pattern, name)
		if matchPattern(pattern, name) {
			matched++
		}
	}
	require.Greater(t, matched, 1000, "the words must match often enough to prove something")
}

func TestMatchPatternIsLiteralButForTheStar(t *testing.T) {
	for _, special := range []string{"a?", "[a]", "a.b", `\*`, "{a,b}", "a\xff", "日*"} {
		require.False(t, matchPattern(special, "a"), special)
	}
	require.True(t, matchPattern("a?[b].{c}\xff", "a?[b].{c}\xff"))
	require.True(t, matchPattern("日*", "日本"))
	require.False(t, matchPattern("A", "a"), "case matters")
}

func TestMatchPatternIsNotExponential(t *testing.T) {
	// Trying every star anew would take longer than the universe is old.
	require.False(t, matchPattern(strings.Repeat("*a", 50)+"b", strings.Repeat("a", 2000)))
}
