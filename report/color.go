package report

import "os"

// style is an ANSI "select graphic rendition" sequence, or "" for plain text.
type style string

const (
	plain    style = ""
	bold     style = "\x1b[1m"
	dim      style = "\x1b[2m"
	red      style = "\x1b[31m"
	yellow   style = "\x1b[33m"
	green    style = "\x1b[32m"
	resetAll       = "\x1b[0m"
)

// paint returns text in the style, or unchanged if color is false.
func (st style) paint(text string, color bool) string {
	if !color || st == plain || text == "" {
		return text
	}
	return string(st) + text + resetAll
}

// IsColorTerminal reports whether colours written to f reach somebody who wants them: f is a character device,
// as a terminal is and a file or pipe is not, the environment variable NO_COLOR is empty or unset, and TERM is
// not "dumb". A nil or closed file gives false.
func IsColorTerminal(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
