package otelprof

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

const configurationPage = "../docs/configuration.md"

// page is read before a test changes the working directory.
var page, pageError = os.ReadFile(configurationPage)

// tableOf returns the cells of the table with the given first heading, without the marks of code.
func tableOf(t *testing.T, heading string) [][]string {
	t.Helper()
	require.NoError(t, pageError)
	var rows [][]string
	inTable := false
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| "+heading+" |"):
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(line, "|-"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i, cell := range cells {
				cells[i] = strings.TrimSpace(strings.ReplaceAll(cell, "`", ""))
			}
			rows = append(rows, cells)
		}
	}
	require.NotEmpty(t, rows, "no table with the heading %q in %s", heading, configurationPage)
	return rows
}

// row is a line of the table of all settings.
type row struct{ key, variable, option, value, byDefault, what string }

func documentedSettings(t *testing.T) []row {
	var rows []row
	for _, cells := range tableOf(t, "YAML key") {
		require.Len(t, cells, 6, "%v", cells)
		rows = append(rows, row{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	return rows
}

// TestDocumentedSettings proves that keys, variables, options, values and defaults in the table are those of the code.
func TestDocumentedSettings(t *testing.T) {
	var documented []row
	for _, r := range documentedSettings(t) {
		require.NotEmpty(t, r.what)
		if r.key != "–" {
			documented = append(documented, r)
		}
	}
	require.Len(t, documented, len(settings))
	for i, s := range settings {
		r := documented[i]
		require.Equal(t, s.key, r.key)
		require.Equal(t, s.variable(), r.variable)
		require.Equal(t, everySetting[i].option, r.option, s.key)
		require.Equal(t, s.allowed, r.value, s.key)
	}
}

// TestDocumentedDefaults sets everything to something else, then to what the table calls the default.
func TestDocumentedDefaults(t *testing.T) {
	var opts []Option
	for _, s := range everySetting {
		opts = append(opts, s.say)
	}
	c, err := resolveText(opts)
	require.NoError(t, err)
	for _, r := range documentedSettings(t) {
		s, ok := findSetting(r.key)
		switch {
		case !ok: // has no text form
		case s.setList != nil:
			require.Equal(t, "none", r.byDefault, s.key)
			require.True(t, s.setList(&c, nil))
		case s.key == "name":
			require.Contains(t, r.byDefault, "the service's name")
			c.name = ""
		default:
			require.True(t, s.set(&c, r.byDefault), "%s: %q is not allowed", s.key, r.byDefault)
		}
	}
	require.Equal(t, defaultConfig(), c)
}

// TestDocumentedOptions proves that the table has every exported function that makes an Option, and no other.
func TestDocumentedOptions(t *testing.T) {
	var documented []string
	for _, r := range documentedSettings(t) {
		if r.option != "–" {
			documented = append(documented, r.option)
		}
	}
	slices.Sort(documented)
	require.Equal(t, exportedOptions(t), slices.Compact(documented))

	for _, r := range documentedSettings(t) {
		if r.key == "–" && r.variable != "–" {
			require.Equal(t, configFileVariable, r.variable)
		}
	}
}

// exportedOptions returns the names of all exported functions of the package whose result is an Option, sorted.
func exportedOptions(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var names []string
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Option" {
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// TestDocumentedNames tries the examples of the name normaliser.
func TestDocumentedNames(t *testing.T) {
	for _, cells := range tableOf(t, "Name") {
		require.Len(t, cells, 2)
		require.Equal(t, cells[1], NormalizeName(cells[0]))
		checkNormalize(t, cells[0])
	}
}

// TestDocumentedErrors compares the sample of error messages with real ones.
func TestDocumentedErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "\n\n\nmax_site: 1\n\n\n\n\ncall_tree: no\n"
	require.NoError(t, os.WriteFile("production.yaml", []byte(text), 0o600))
	_, got := resolveText([]Option{WithConfigFile("production.yaml")}, "OTELPROF_MAX_NODES=many")
	require.Error(t, got)
	documented := pageSection(t, "```text\n", "```")
	require.Equal(t, documented, got.Error()+"\n")
}

// pageSection returns what stands between the first from and the next to.
func pageSection(t *testing.T, from, to string) string {
	t.Helper()
	require.NoError(t, pageError)
	_, rest, ok := strings.Cut(string(page), from)
	require.True(t, ok)
	section, _, ok := strings.Cut(rest, to)
	require.True(t, ok)
	return section
}

// TestExampleFiles loads the example configurations and checks what sets them apart.
func TestExampleFiles(t *testing.T) {
	files, err := filepath.Glob("../docs/config/*.yaml")
	require.NoError(t, err)
	var names []string
	for _, path := range files {
		names = append(names, filepath.Base(path))
	}
	var documented []string
	for _, cells := range tableOf(t, "File") {
		name, target, ok := strings.Cut(strings.Trim(cells[0], "[)"), "](")
		require.True(t, ok)
		require.Equal(t, "config/"+name, target)
		documented = append(documented, name)
	}
	require.ElementsMatch(t, documented, names, "the page must list the files that there are")

	load := func(name string) config {
		c, err := resolveText([]Option{WithConfigFile("../docs/config/" + name)}, "OTEL_SERVICE_NAME=shop")
		require.NoError(t, err)
		return c
	}
	development, production := load("development.yaml"), load("production.yaml")
	selective, tuning := load("selective.yaml"), load("tuning.yaml")

	require.Equal(t, "shop (development)", development.name)
	require.Equal(t, CallSiteCallers, development.callSite)
	require.Nil(t, development.normalizer())
	require.True(t, development.selfHistograms)

	require.Equal(t, "shop", production.name, "left to the environment")
	require.NotNil(t, production.normalizer())
	require.True(t, production.selfTime && production.callTree && production.enabled)
	require.Less(t, production.limits.MaxSites, core.DefaultLimits().MaxSites)

	require.True(t, selective.trackEnabled("example.com/shop/cart"))
	require.True(t, selective.trackEnabled("github.com/XSAM/otelsql"))
	require.False(t, selective.trackEnabled("example.com/shop/healthcheck"))
	require.False(t, selective.trackEnabled("net/http"))

	require.False(t, tuning.selfTime || tuning.callTree)
	require.Equal(t, CallSiteOff, tuning.callSite)
	require.Greater(t, tuning.limits.MaxNodes, core.DefaultLimits().MaxNodes)
}

// TestExampleFilesShowEverything proves that each key is to be seen in one of the example files.
func TestExampleFilesShowEverything(t *testing.T) {
	files, err := filepath.Glob("../docs/config/*.yaml")
	require.NoError(t, err)
	var all strings.Builder
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all.WriteString("\n" + string(text))
	}
	for _, s := range settings {
		require.Contains(t, all.String(), "\n"+s.key+":", "no example of %s", s.key)
	}
}
