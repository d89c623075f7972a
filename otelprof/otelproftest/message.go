package otelproftest

import (
	"fmt"
	"path"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/stichotrope/stichotrope-go/core"
)

// fail reports a failure. If marked is not nil, the call tree around the sites that it marks is shown. What is still open
// is mentioned always, because it is missing from everything else.
func (r *Recorder) fail(s *core.Snapshot, marked func(core.Site) bool, format string, args ...any) {
	r.tb.Helper()
	text := "otelproftest: " + fmt.Sprintf(format, args...)
	if marked != nil {
		text += callTree(s, marked)
	}
	if open := openCalls(s); open != "" && marked != nil {
		text += "\n    still open, so that the tree may lack what is below: " + open
	}
	r.tb.Errorf("%s", text)
}

// maxText is the longest name in a message, in bytes.
const maxText = 200

// cut shortens a text between two characters.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// visible returns a name as it is, or as a Go string if something in it would act on a terminal or not be seen.
func visible(s string) string {
	s = cut(s)
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// label returns "name" [track].
func label(track, name string) string {
	text := strconv.Quote(cut(name))
	if track != "" {
		text += " [" + visible(track) + "]"
	}
	return text
}

// location returns the place of a site with the last folder of its path alone, as go test does.
func location(s core.Site) string {
	if folder := path.Base(path.Dir(s.File)); s.File != "" && folder != "." && folder != "/" {
		s.File = folder + "/" + path.Base(s.File)
	}
	if s.Location() == "" {
		return ""
	}
	return visible(s.Location())
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}

func calls(n uint64) string {
	if n == 1 {
		return "1 call"
	}
	return strconv.FormatUint(n, 10) + " calls"
}

// duration rounds nanoseconds to three significant digits.
func duration(ns float64) time.Duration {
	d := time.Duration(min(ns, float64(1<<62)))
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
