package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// displayWidth returns how many columns of a terminal s takes. It expects the result of visible: without
// control characters, a character takes no column if it combines with the one before, two if it is East Asian
// wide or an emoji, else one.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// wide are the blocks whose characters take two columns (Unicode Standard Annex 11, East_Asian_Width W and F),
// joined where nothing but unassigned characters lies between.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115F, Stride: 1}, // Hangul Jamo, initial consonants
		{Lo: 0x2E80, Hi: 0x303E, Stride: 1}, // radicals, CJK symbols and punctuation
		{Lo: 0x3041, Hi: 0xA4CF, Stride: 1}, // Kana, Bopomofo, CJK ideographs, Yi
		{Lo: 0xA960, Hi: 0xA97C, Stride: 1}, // Hangul Jamo Extended-A
		{Lo: 0xAC00, Hi: 0xD7A3, Stride: 1}, // Hangul syllables
		{Lo: 0xF900, Hi: 0xFAFF, Stride: 1}, // CJK compatibility ideographs
		{Lo: 0xFE30, Hi: 0xFE6B, Stride: 1}, // CJK compatibility and small forms
		{Lo: 0xFF01, Hi: 0xFF60, Stride: 1}, // fullwidth forms
		{Lo: 0xFFE0, Hi: 0xFFE6, Stride: 1}, // fullwidth signs
	},
	R32: []unicode.Range32{
		{Lo: 0x16FE0, Hi: 0x18CFF, Stride: 1}, // Tangut, Khitan
		{Lo: 0x1B000, Hi: 0x1B2FB, Stride: 1}, // Kana supplement, Nushu
		{Lo: 0x1F300, Hi: 0x1F64F, Stride: 1}, // pictographs, emoticons
		{Lo: 0x1F680, Hi: 0x1F6FF, Stride: 1}, // transport symbols
		{Lo: 0x1F900, Hi: 0x1FAFF, Stride: 1}, // supplemental symbols and pictographs
		{Lo: 0x20000, Hi: 0x3FFFD, Stride: 1}, // CJK ideographs, extensions
	},
}

// clip returns s, cut at the end to at most width columns with "…" as the last one. A width below 1 cuts nothing.
func clip(s string, width int) string {
	if width < 1 || len(s) <= width || displayWidth(s) <= width {
		return s
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		n += runeWidth(r)
		if n > width-1 {
			break
		}
		b.WriteRune(r)
	}
	b.WriteString("…")
	return b.String()
}

// clipFront is clip, but what is cut is the beginning.
func clipFront(s string, width int) string {
	if width < 1 || len(s) <= width || displayWidth(s) <= width {
		return s
	}
	n, at := 0, len(s)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:at])
		if n += runeWidth(r); n > width-1 {
			break
		}
		at -= size
	}
	return "…" + s[at:]
}
