package archtest

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Rules describe the architecture of one module.
type Rules struct {
	// Module is the module's path. Every package in it must belong to a layer.
	Module string
	Layers []Layer
	// TestOnly are import paths, with everything below them, that all test files may import.
	TestOnly []string
	Bans     []Ban
}

// Layer is a folder of the module with the folders below it, except for those that have a layer of their own.
type Layer struct {
	Folder string
	// Own are the folders of the module that the layer may import besides its own.
	Own []string
	// External are the import paths outside the standard library and the module, with everything below them,
	// that the layer may import.
	External []string
	// TestOnly are import paths, with everything below them, that test files of the layer may import besides.
	TestOnly []string
	// Why is the reason for the limits above.
	Why string
}

// Ban is an import path, with everything below it, that no program gets linked because of this module.
type Ban struct {
	Path string
	// From limits the ban to these folders of the module; empty means all.
	From []string
	// Except lifts the ban from these folders.
	Except []string
	Why    string
}

// Violation is one import that breaks a rule, or a package without a layer, which has no Import.
type Violation struct {
	Package, Import, Why string
}

// String returns the violation as one line, without a line break at its end.
func (v Violation) String() string {
	if v.Import == "" {
		return v.Package + ": " + v.Why
	}
	return fmt.Sprintf("%s imports %s: %s", v.Package, v.Import, v.Why)
}

// Check returns the violations in pkgs, the result of [Load], in ascending order of package and import.
func (r Rules) Check(pkgs map[string]Package) []Violation {
	var found []Violation
	for _, p := range pkgs {
		if !within(p.ImportPath, r.Module) {
			continue
		}
		layer, ok := r.layer(p.ImportPath)
		if !ok {
			found = append(found, Violation{Package: p.ImportPath, Why: "it has no layer: add one that says what it may import, and why"})
			continue
		}
		found = append(found, r.checkImports(p, layer)...)
		found = append(found, r.checkBans(p, pkgs)...)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].String() < found[j].String() })
	return slices.Compact(found)
}

// layer returns the layer with the longest folder that the package is in.
func (r Rules) layer(path string) (Layer, bool) {
	best, ok := Layer{}, false
	for _, l := range r.Layers {
		if within(path, r.own(l.Folder)) && (!ok || len(l.Folder) > len(best.Folder)) {
			best, ok = l, true
		}
	}
	return best, ok
}

func (r Rules) own(folder string) string { return r.Module + "/" + folder }

func (r Rules) checkImports(p Package, l Layer) []Violation {
	var found []Violation
	for _, imp := range p.Imports {
		if !r.allowed(imp, l) {
			found = append(found, Violation{p.ImportPath, imp, l.Why})
		}
	}
	for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
		if !r.allowed(imp, l) && !withinAny(imp, r.TestOnly) && !withinAny(imp, l.TestOnly) {
			found = append(found, Violation{p.ImportPath + " (test)", imp, l.Why})
		}
	}
	return found
}

func (r Rules) allowed(imp string, l Layer) bool {
	if !within(imp, r.Module) {
		return isStandard(imp) || withinAny(imp, l.External)
	}
	target, ok := r.layer(imp)
	return ok && (target.Folder == l.Folder || slices.Contains(l.Own, target.Folder))
}

func (r Rules) checkBans(p Package, pkgs map[string]Package) []Violation {
	var found []Violation
	for _, b := range r.Bans {
		if len(b.From) > 0 && !r.inFolders(p.ImportPath, b.From) || r.inFolders(p.ImportPath, b.Except) {
			continue
		}
		for _, dep := range p.Deps {
			if within(dep, b.Path) {
				chain := strings.Join(shortestChain(pkgs, p.ImportPath, dep), " → ")
				found = append(found, Violation{p.ImportPath, chain, b.Why})
				break
			}
		}
	}
	return found
}

func (r Rules) inFolders(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return within(path, r.own(f)) })
}

// shortestChain returns the imports that lead from one package to another, without the first package: what a
// reader needs to find the import to remove.
func shortestChain(pkgs map[string]Package, from, to string) []string {
	cameFrom := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, imp := range pkgs[queue[0]].Imports {
			if _, seen := cameFrom[imp]; !seen {
				cameFrom[imp] = queue[0]
				queue = append(queue, imp)
			}
		}
	}
	chain := []string{}
	for p := to; p != from && p != ""; p = cameFrom[p] {
		chain = append(chain, p)
	}
	slices.Reverse(chain)
	return chain
}
