// Package archtest checks the architecture of a module: which of its packages may import which, and what must
// never be linked into a program that uses it. The rules for this module, each with its reason, are in the
// tests of this package; the checker itself is tested on a module in testdata that breaks them.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Package is what the checker knows about a package: a part of what "go list -json" tells.
type Package struct {
	ImportPath string
	Dir        string
	// GoFiles are the names of the non-test files in Dir.
	GoFiles []string
	// Imports are those of the non-test files, TestImports those of the test files in the same package,
	// XTestImports those of the external test package.
	Imports, TestImports, XTestImports []string
	// Deps are all packages that a program importing this one links.
	Deps []string
}

// Load returns the packages that match the patterns in dir, and everything that they need, by import path, as
// built for a platform such as "linux/arm64". The module is loaded as its users get it: without a go.work.
func Load(dir, platform string, patterns ...string) (map[string]Package, error) {
	goos, goarch, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("platform %q, want GOOS/GOARCH", platform)
	}
	args := []string{"list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,Deps"}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing packages in %s: %w\n%s", dir, err, stderr.Bytes())
	}
	pkgs := map[string]Package{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading the list of packages in %s: %w", dir, err)
		}
		pkgs[p.ImportPath] = p
	}
}

// isStandard reports whether an import path is one of the standard library: only those have no dot in their
// first element.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// within reports whether path is prefix or below it.
func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func withinAny(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if within(path, p) {
			return true
		}
	}
	return false
}
