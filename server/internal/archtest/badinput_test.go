package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// proof is a test that docs/bad-input.md names: its package, its name, and perhaps one of its cases.
var proof = regexp.MustCompile("`([a-z]+)\\.((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")

// testsOf are the tests of all packages, and the texts that stand in the files of each package with tests.
type testsOf struct {
	tests map[[2]string]bool
	texts map[[2]string]bool
}

// TestEveryProofOfBadInputExists finds the tests and cases that docs/bad-input.md names.
func TestEveryProofOfBadInputExists(t *testing.T) {
	const repository = "../../.."
	all := testsOf{map[[2]string]bool{}, map[[2]string]bool{}}
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".git")):
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			return all.read(path)
		}
		return nil
	})
	require.NoError(t, err)
	doc, err := os.ReadFile(filepath.Join(repository, "docs", "bad-input.md"))
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| tests |\n") {
			continue
		}
		rows++
		cells := strings.Split(strings.TrimSuffix(line, " |\n"), " | ")
		named := proof.FindAllStringSubmatch(cells[len(cells)-1], -1)
		require.NotEmpty(t, named, "no test proves: %s", line)
		require.Len(t, named, strings.Count(cells[len(cells)-1], "`")/2, "not all of these are tests: %s", cells[len(cells)-1])
		for _, n := range named {
			require.True(t, all.tests[[2]string{n[1], n[2]}], "there is no test %s.%s", n[1], n[2])
			require.True(t, n[3] == "" || all.texts[[2]string{n[1], n[3]}], "%s.%s has no case %q", n[1], n[2], n[3])
		}
	}
	require.Greater(t, rows, 50)
}

// read adds the tests and texts of a file.
func (o *testsOf) read(path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := filepath.Base(filepath.Dir(path))
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil {
				o.tests[[2]string{folder, n.Name.Name}] = true
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				o.texts[[2]string{folder, text}] = true
			}
		}
		return true
	})
	return nil
}
