package otelprof

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// naiveEdits is the definition of the Levenshtein distance.
func naiveEdits(a, b string) int {
	switch {
	case a == "":
		return len(b)
	case b == "":
		return len(a)
	case a[0] == b[0]:
		return naiveEdits(a[1:], b[1:])
	}
	return 1 + min(naiveEdits(a[1:], b), naiveEdits(a, b[1:]), naiveEdits(a[1:], b[1:]))
}

func TestEditsAgreeWithTheDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, random.IntN(7))
		for i := range b {
			b[i] = "abc"[random.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		a, b := word(), word()
		require.Equal(t, naiveEdits(a, b), edits(a, b), "%q %q", a, b)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"max_sites", "max_nodes", "name"}
	for name, want := range map[string]string{
		"max_site": "max_sites", "MAX-NODES": "max_nodes", "nmae": "", "nam": "name", "max_": "", "": "",
		"colour": "", strings.Repeat("max_sites", 1_000_000): "",
	} {
		require.Equal(t, want, nearest(name, known), "%.20q", name)
	}
}
