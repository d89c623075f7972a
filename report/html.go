package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// HTMLOptions say how the HTML report looks. The zero value is a complete report.
type HTMLOptions struct {
	// Title is the heading; empty means the names of the profilers.
	Title string
	// Links are shown next to the title, for example to other formats of the same profile.
	Links []Link
	// Refresh makes the browser load the page again after this time, rounded up to whole seconds. The page keeps
	// its search, sorting, zoom and selection. Zero or less means never, which is right for a file.
	Refresh time.Duration
}

// Link is a named address. In a report only http, https and relative addresses can be followed.
type Link struct{ Name, URL string }

//go:embed html/page.html
var pageSource string

var page = template.Must(template.New("page.html").Parse(pageSource))

// pageData is what page.html is filled with. html/template escapes the strings for where they stand; the typed
// ones are inserted as they are.
type pageData struct {
	Title   string
	Policy  string
	Refresh int64
	Links   []Link
	Style   template.CSS
	Profile template.JS
	Script  template.JS
}

// HTML writes s as one self-contained page: a sortable table of the blocks, a flame graph of the call tree and the
// histogram of any block. It loads nothing, so that it works offline and from a file, and it carries a
// Content-Security-Policy that allows its own script and style by their hashes and nothing else; see
// [HTMLContentSecurityPolicy] for serving it. Strings of the profile are data in it, never markup.
//
// Names longer than 4 KiB are cut, with a mark; all numbers are complete. HTML fails if w does, or if the call tree
// of s is malformed.
func HTML(w io.Writer, s *core.Snapshot, o HTMLOptions) error {
	title := o.Title
	if title == "" {
		title = s.Name()
	}
	if title == "" {
		title = "Profile"
	}
	profile, err := marshalProfile(s)
	if err != nil {
		return fmt.Errorf("encode profile for HTML: %w", err)
	}
	assets := pageAssets()
	err = page.Execute(w, pageData{
		Title:   pageText(title),
		Policy:  assets.policy,
		Refresh: wholeSeconds(o.Refresh),
		Links:   o.Links,
		Style:   template.CSS(assets.style),
		Profile: template.JS(profile),
		Script:  template.JS(assets.script),
	})
	if err != nil {
		return fmt.Errorf("write HTML report: %w", err)
	}
	return nil
}

// HTMLContentSecurityPolicy returns the value of a Content-Security-Policy header under which the pages that [HTML]
// writes work. It is stricter than the policy in the page itself, which cannot forbid framing. It is the same for
// every page of one version of this package.
func HTMLContentSecurityPolicy() string {
	return pageAssets().policy + "; frame-ancestors 'none'"
}

func wholeSeconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Second) + 1
}
