package archtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fixtureRules are rules that the module in testdata/backwards breaks in every way.
var fixtureRules = Rules{
	Module: "example.test/backwards",
	Layers: []Layer{
		{Folder: "core", Why: "core is the bottom"},
		{Folder: "report", Own: []string{"core"}, Why: "report stands on core"},
	},
	TestOnly: []string{"example.test/assert"},
	Bans: []Ban{
		{Path: "net/http/pprof", Why: "it registers handlers from init"},
		{Path: "net/http", From: []string{"core"}, Why: "core does no I/O"},
		{Path: "net", Except: []string{"core", "report"}, Why: "nobody is left to break this one"},
	},
}

func TestPlantedViolationsAreFound(t *testing.T) {
	pkgs, err := Load("testdata/backwards", "linux/amd64", "./...")
	require.NoError(t, err)
	var got []string
	for _, v := range fixtureRules.Check(pkgs) {
		got = append(got, v.String())
	}
	require.Equal(t, []string{
		"example.test/backwards/core (test) imports example.test/mock: core is the bottom",
		"example.test/backwards/core imports example.test/backwards/report → net/http/pprof → net/http: core does no I/O",
		"example.test/backwards/core imports example.test/backwards/report → net/http/pprof: it registers handlers from init",
		"example.test/backwards/core imports example.test/backwards/report: core is the bottom",
		"example.test/backwards/report imports net/http/pprof: it registers handlers from init",
		"example.test/backwards/stray: it has no layer: add one that says what it may import, and why",
	}, got)
}

func TestRulesOfALayer(t *testing.T) {
	rules := Rules{
		Module: "m.test/m",
		Layers: []Layer{
			{Folder: "a", Why: "a"},
			{Folder: "a/inner", Own: []string{"a"}, External: []string{"x.test/x"}, Why: "inner"},
		},
	}
	for _, c := range []struct {
		name, from, imp string
		allowed         bool
	}{
		{"standard library", "m.test/m/a", "net/http", true},
		{"package of the same layer", "m.test/m/a", "m.test/m/a/b", true},
		{"own package of another layer", "m.test/m/a", "m.test/m/a/inner", false},
		{"own package that is listed", "m.test/m/a/inner", "m.test/m/a/b", true},
		{"external package", "m.test/m/a", "x.test/x", false},
		{"external package that is listed", "m.test/m/a/inner", "x.test/x/y", true},
		{"external package whose path only starts the same", "m.test/m/a/inner", "x.test/xy", false},
		{"own package without a layer", "m.test/m/a", "m.test/m/b", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := rules.Check(map[string]Package{c.from: {ImportPath: c.from, Imports: []string{c.imp}}})
			require.Equal(t, c.allowed, len(found) == 0, "%v", found)
		})
	}
}

func TestLoadErrors(t *testing.T) {
	_, err := Load("testdata/backwards", "linux", "./...")
	require.ErrorContains(t, err, `platform "linux", want GOOS/GOARCH`)
	_, err = Load("testdata/backwards", "linux/amd64", "./missing")
	require.ErrorContains(t, err, "listing packages in testdata/backwards")
}
