package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed html/*.js html/style.css
var assetFiles embed.FS

// scriptModules are the modules of the page's script, each after those it imports.
var scriptModules = []string{
	"format.js", "color.js", "element.js", "layout.js", "flame.js", "table.js", "histogram.js", "profile.js",
	"state.js", "columns.js", "describe.js", "outline.js", "details.js", "header.js", "main.js",
}

// htmlAssets are the parts of the page that are the same for every profile.
type htmlAssets struct {
	script, style string
	// policy is the Content-Security-Policy of the page, with the hashes of script and style.
	policy string
}

// pageAssets returns the assets, which are joined once. They are embedded, so that an error in them is one of this
// package, which its tests would have found.
var pageAssets = sync.OnceValue(func() htmlAssets {
	var modules []scriptModule
	for _, name := range scriptModules {
		modules = append(modules, scriptModule{name, mustReadAsset(name)})
	}
	script, err := joinModules(modules)
	if err != nil {
		panic("report: " + err.Error())
	}
	style := mustReadAsset("style.css")
	return htmlAssets{
		script: script,
		style:  style,
		policy: "default-src 'none'; script-src " + cspHash(script) + "; style-src " + cspHash(style) +
			"; img-src data:; base-uri 'none'; form-action 'none'",
	}
})

func mustReadAsset(name string) string {
	b, err := assetFiles.ReadFile("html/" + name)
	if err != nil {
		panic("report: " + err.Error())
	}
	return string(b)
}

// cspHash returns the source expression that allows exactly this inline text.
func cspHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// scriptModule is one ES module of the page's script.
type scriptModule struct{ name, source string }

var (
	moduleImport = regexp.MustCompile(`(?m)^import (\{\s*\w+(?:,\s*\w+)*,?\s*\}) from "\./([a-z]+\.js)";$`)
	moduleExport = regexp.MustCompile(`(?m)^export (\{\s*\w+(?:,\s*\w+)*,?\s*\});\n*\z`)
	moduleSyntax = regexp.MustCompile(`(?m)^\s*(import|export)\b.*`)
)

// joinModules turns ES modules into one classic script, as no page opened from a file may load modules. Each module
// becomes a function that is called once and returns its exports, so that it keeps its own scope:
//
//	import { a } from "./b.js";   becomes   const { a } = modules["b.js"];
//	export { a };                 becomes   return { a };
//
// Only these two forms, with any number of names, are understood, the second at the end of the file; any other import or export is an error, and
// so is an import of a module that does not stand before.
func joinModules(modules []scriptModule) (string, error) {
	var b strings.Builder
	b.WriteString("\"use strict\";\nconst modules = {};\n")
	defined := make(map[string]bool)
	for _, m := range modules {
		for _, match := range moduleImport.FindAllStringSubmatch(m.source, -1) {
			if !defined[match[2]] {
				return "", fmt.Errorf("%s imports %s, which is not joined before it", m.name, match[2])
			}
		}
		source := moduleImport.ReplaceAllString(m.source, `const $1 = modules["$2"];`)
		source = moduleExport.ReplaceAllString(source, "return $1;\n")
		if rest := moduleSyntax.FindString(source); rest != "" {
			return "", fmt.Errorf("%s: cannot join %q", m.name, strings.TrimSpace(rest))
		}
		fmt.Fprintf(&b, "modules[%q] = (() => {\n%s})();\n", m.name, source)
		defined[m.name] = true
	}
	script := b.String()
	if lower := strings.ToLower(script); strings.Contains(lower, "</script") || strings.Contains(lower, "<!--") {
		return "", fmt.Errorf("the script contains what would end or confuse its element")
	}
	return script, nil
}
