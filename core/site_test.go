package core

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKindText(t *testing.T) {
	for k := range 256 {
		text, err := Kind(k).MarshalText()
		require.NoError(t, err)
		var got Kind
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, Kind(k), got)
	}
	require.Equal(t, "server", KindServer.String())
	require.Equal(t, "block", KindBlock.String())
	require.Equal(t, "kind(7)", Kind(7).String())
	for _, text := range []string{"", "Server", "kind(256)", "kind(-1)", "kind(5", "kind()", "kind(x)"} {
		got := KindClient
		require.ErrorContains(t, got.UnmarshalText([]byte(text)), "unknown kind")
		require.Equal(t, KindClient, got)
	}
}

func TestSiteCompareIsATotalOrder(t *testing.T) {
	ascending := []Site{
		{}, {Line: 1}, {File: "f"}, {Function: "f"}, {Kind: 1}, {Name: "a", Kind: 9}, {Name: "b"}, {Track: "a", Name: "z"}, {Track: "b"},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			require.Equal(t, compareInts(i, j), a.Compare(b), "%v and %v", a, b)
		}
	}
	r := newRand(1)
	sites := randomSites(r, 60)
	slices.SortFunc(sites, Site.Compare)
	for i := range sites {
		for j := range sites {
			require.Equal(t, compareInts(i, j), sites[i].Compare(sites[j]))
		}
	}
}

func compareInts(i, j int) int {
	switch {
	case i < j:
		return -1
	case i > j:
		return 1
	}
	return 0
}

func TestSiteText(t *testing.T) {
	for _, test := range []struct {
		site             Site
		location, String string
	}{
		{Site{Track: "http", Name: "GET /"}, "", "http/GET /"},
		{Site{Track: "http", Name: "GET /", Kind: KindServer}, "", "http/GET / (server)"},
		{Site{Track: "t", Name: "n", Function: "pkg.F"}, "pkg.F", "t/n at pkg.F"},
		{Site{Track: "t", Name: "n", Function: "pkg.F", File: "f.go"}, "f.go", "t/n at f.go"},
		{Site{Track: "t", Name: "n", Function: "pkg.F", File: "f.go", Line: 7}, "f.go:7", "t/n at f.go:7"},
		{Site{Track: "t", Name: "n", Line: 7}, "", "t/n"},
	} {
		require.Equal(t, test.location, test.site.Location())
		require.Equal(t, test.String, test.site.String())
	}
}
