// Command covergate fails when a package's statement coverage is not above a minimum.
//
//	go test -coverprofile=coverage.out ./core/... ./report/...
//	go run ./internal/covergate -above 90 -profile coverage.out
//
// It is silent when all packages in the profile pass: "go test" has printed their coverage already.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
)

func main() {
	above := flag.Float64("above", 90, "fail unless every package's coverage is above this `percentage`")
	profile := flag.String("profile", "coverage.out", "the `file` that go test -coverprofile wrote")
	flag.Parse()
	if err := run(*profile, *above); err != nil {
		fmt.Fprintln(os.Stderr, "covergate:", err)
		os.Exit(1)
	}
}

func run(profile string, above float64) error {
	f, err := os.Open(profile)
	if err != nil {
		return err
	}
	defer f.Close()
	packages, err := read(f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", profile, err)
	}
	if len(packages) == 0 {
		return fmt.Errorf("%s covers no package", profile)
	}
	var low []string
	for name, c := range packages {
		if c.percent() <= above {
			low = append(low, fmt.Sprintf("%s: %.1f %%", name, c.percent()))
		}
	}
	if len(low) > 0 {
		sort.Strings(low)
		return fmt.Errorf("coverage is not above %g %% of the statements in:\n\t%s", above, strings.Join(low, "\n\t"))
	}
	return nil
}

// coverage counts the statements of a package.
type coverage struct{ statements, covered int }

func (c coverage) percent() float64 { return 100 * float64(c.covered) / float64(c.statements) }

// read returns the coverage of each package in a profile, by import path. A block of code that several test
// binaries report is covered if one of them covers it.
func read(r io.Reader) (map[string]coverage, error) {
	type block struct {
		pkg        string
		statements int
		covered    bool
	}
	blocks := map[string]block{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if n == 1 && strings.HasPrefix(lines.Text(), "mode: ") {
			continue
		}
		// A line is "import/path/file.go:10.2,12.3 statements count".
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: %d fields, want 3", n, len(fields))
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: number of statements: %w", n, err)
		}
		file, _, ok := strings.Cut(fields[0], ":")
		if !ok {
			return nil, fmt.Errorf("line %d: no position in %q", n, fields[0])
		}
		covered := fields[2] != "0" || blocks[fields[0]].covered
		blocks[fields[0]] = block{path.Dir(file), statements, covered}
	}
	packages := map[string]coverage{}
	for _, b := range blocks {
		c := packages[b.pkg]
		c.statements += b.statements
		if b.covered {
			c.covered += b.statements
		}
		packages[b.pkg] = c
	}
	return packages, lines.Err()
}
