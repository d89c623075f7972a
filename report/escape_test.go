package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"GET /a b":         "GET /a b",
		"世界 é e\u0301":     "世界 é e\u0301",
		`C:\dir`:           `C:\dir`,
		"a\n\r\tb":         `a\n\r\tb`,
		"\x00\x1b[31m\x7f": `\x00\x1b[31m\x7f`,
		"\u0085\u202e":     `\u0085\u202e`,
		"\U000e0001":       `\U000e0001`,
		"\xff ok \xe2\x82": `\xff ok \xe2\x82`,
		"\ufffd":           "\ufffd",
		"\ufffd\x01":       "\ufffd" + `\x01`,
	} {
		require.Equal(t, want, visible(in), "%q", in)
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		v := visible(s)
		require.True(t, utf8.ValidString(v))
		require.Equal(t, -1, strings.IndexFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", v)
		require.Equal(t, v, visible(v), "what is visible stays as it is")
		if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
			require.Equal(t, s, v)
		}
	})
}
