package report

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stichotrope/stichotrope-go/core"
)

// visible returns s with everything that a terminal would act on, or not show, written as a Go escape: control
// characters (and with them ANSI sequences), bidirectional and other format characters, line separators, spaces
// other than U+0020, and bytes that are not UTF-8. A backslash stays as it is: names are to be read, not parsed.
func visible(s string) string {
	if showsAsIs(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			writeHexEscape(&b, 'x', uint32(s[i]), 2)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			writeRuneEscape(&b, r)
		}
	}
	return b.String()
}

func showsAsIs(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func writeRuneEscape(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < utf8.RuneSelf:
		writeHexEscape(b, 'x', uint32(r), 2)
	case r <= 0xFFFF:
		writeHexEscape(b, 'u', uint32(r), 4)
	default:
		writeHexEscape(b, 'U', uint32(r), 8)
	}
}

func writeHexEscape(b *strings.Builder, letter byte, v uint32, digits int) {
	b.WriteByte('\\')
	b.WriteByte(letter)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b.WriteByte("0123456789abcdef"[v>>shift&0xF])
	}
}

// unnamed stands where people expect a name and there is none.
const unnamed = "(unnamed)"

// siteName returns the name of a site for people to read.
func siteName(s core.Site) string {
	if s.Name == "" {
		return unnamed
	}
	return visible(s.Name)
}

// siteLabel returns the name and the track of a site for people to read: "name [track]", or "name [service/track]".
func siteLabel(s core.Site) string {
	track := trackName(s.Service, s.Track)
	if track == "" {
		return siteName(s)
	}
	return siteName(s) + " [" + visible(track) + "]"
}

// validUTF8 returns s with every run of invalid bytes replaced by U+FFFD.
func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
