package otelprof

import "strings"

// NormalizeName replaces the parts of a span name that look like ids by placeholders, so that spans that do the same
// to different things become one site. It looks at whole tokens only, runs of letters and digits between any other
// characters (which an e-mail address and a UUID have several of), and replaces
//
//   - an e-mail address by {email}: a local part, @, and a domain that ends in a label of at least two letters;
//   - a UUID by {uuid}: 8-4-4-4-12 hexadecimal digits;
//   - hexadecimal digits by {hex}: at least 8 with both a digit and a letter among them, or at least 16, or at least 8
//     behind 0x;
//   - a ULID by {id}: 26 characters of its alphabet, all upper or all lower case;
//   - decimal digits by {id}: at least 5 anywhere, or any number of them if they are a whole segment of a path.
//
// A path starts with a slash at the start of the name, after white space or after a colon, as in "GET /users/7" and
// "http://host/users/7", and goes to the next white space. A segment goes to the next slash, colon, question mark,
// number sign or to the end of the path.
//
// So "HTTP 404", "HTTP/2", "oauth2", "sha256", "/v1/users", "localhost:8080" and "2024-05-01" stay as they are. What
// no rule can tell from a word, such as a slug or a user's name, needs a function of your own: see
// [WithNameNormalizer].
//
// It is a pure function, and idempotent. It does not allocate if nothing changes, takes time proportional to the
// length of the name, and keeps bytes that are not ASCII, valid UTF-8 or not, as they are: they count as letters. The
// result can be up to 2.5 times as long as the name.
func NormalizeName(name string) string {
	var out strings.Builder
	done := 0 // name[:done] is in out
	inPath := false
	at, domain := nextDomain(name, 0)
	for i := 0; i < len(name); {
		if !isWord(name[i]) {
			switch {
			case isSpace(name[i]):
				inPath = false
			case name[i] == '/' && (i == 0 || isSpace(name[i-1]) || name[i-1] == ':'):
				inPath = true
			}
			i++
			continue
		}
		if i > at {
			at, domain = nextDomain(name, i)
		}
		end, placeholder := 0, ""
		if at < len(name) && isLocalPart(name[i:at]) {
			end, placeholder = domain, "{email}"
		} else {
			end, placeholder = classify(name, i, inPath)
		}
		if placeholder != "" {
			out.WriteString(name[done:i])
			out.WriteString(placeholder)
			done = end
		}
		i = end
	}
	if done == 0 {
		return name
	}
	out.WriteString(name[done:])
	return out.String()
}

// classify returns the end of the token that starts at name[start] and what to put in its place, "" to keep it.
//
// That nothing more is found when the result is normalised again rests on this: what is decided depends on the text
// from start on, on the character before it and on inPath, and a placeholder brings nothing but letters between braces,
// which end every kind of token and are part of none.
func classify(name string, start int, inPath bool) (end int, placeholder string) {
	if end = uuidEnd(name, start); end > 0 {
		return end, "{uuid}"
	}
	end = start
	for end < len(name) && isWord(name[end]) {
		end++
	}
	return end, classifyWord(name[start:end], inPath && isSegment(name, start, end))
}

// classifyWord returns the placeholder for a run of letters and digits, "" to keep it.
func classifyWord(word string, segment bool) string {
	if len(word) >= len("0x")+8 && word[0] == '0' && word[1]|0x20 == 'x' && isHex(word[2:]) {
		return "{hex}"
	}
	if !isHex(word) {
		if isULID(word) {
			return "{id}"
		}
		return ""
	}
	digits := 0
	for i := range len(word) {
		if isDigit(word[i]) {
			digits++
		}
	}
	switch {
	case digits == len(word) && (digits >= 5 || segment):
		return "{id}"
	case len(word) >= 16, len(word) >= 8 && digits > 0:
		return "{hex}"
	}
	return ""
}

// isSegment reports whether name[start:end] is a whole segment of a path.
func isSegment(name string, start, end int) bool {
	if start == 0 || name[start-1] != '/' {
		return false
	}
	if end == len(name) || isSpace(name[end]) {
		return true
	}
	switch name[end] {
	case '/', ':', '?', '#':
		return true
	}
	return false
}

// uuidEnd returns the end of the UUID that starts at name[start], 0 if there is none.
func uuidEnd(name string, start int) int {
	const length = 36
	if len(name)-start < length {
		return 0
	}
	for i := range length {
		c := name[start+i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return 0
			}
		default:
			if !isHexDigit(c) {
				return 0
			}
		}
	}
	end := start + length
	if end < len(name) && isWord(name[end]) {
		return 0
	}
	return end
}

// The longest parts of an e-mail address in bytes (RFC 5321, section 4.5.3.1).
const (
	longestLocalPart = 64
	longestDomain    = 255
)

// nextDomain returns where the next @ at or after from stands that has the domain of an e-mail address behind it, and
// the end of that domain; len(name) and 0 if there is none. Looking for the @ first keeps the work on all other names
// low, and doing it once for all tokens before it keeps the work on hostile ones in proportion to their length.
func nextDomain(name string, from int) (at, end int) {
	for {
		i := strings.IndexByte(name[from:], '@')
		if i < 0 {
			return len(name), 0
		}
		at = from + i
		if end = domainEnd(name, at+1); end > 0 {
			return at, end
		}
		from = at + 1
	}
}

// domainEnd returns the end of the domain that starts at name[start], 0 if there is none: labels of letters, digits and
// hyphens with dots between them, at least two, the last with at least two characters, all letters.
func domainEnd(name string, start int) int {
	end, label := start, start // label is where the last label starts
	letters := true            // whether it has nothing else in it
	for ; end < len(name) && isDomain(name[end]); end++ {
		switch {
		case name[end] == '.' && end == label:
			return 0
		case name[end] == '.':
			label, letters = end+1, true
		case !isLetter(name[end]):
			letters = false
		}
	}
	if label == start || !letters || end-label < 2 || end-start > longestDomain {
		return 0
	}
	if end < len(name) && isWord(name[end]) {
		return 0 // goes on with letters that are not ASCII
	}
	return end
}

// isLocalPart reports whether the text, which ends before an @, is the local part of an e-mail address.
func isLocalPart(text string) bool {
	if len(text) > longestLocalPart {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; c {
		case '.', '_', '%', '+', '-':
		default:
			if !isDigit(c) && !isLetter(c) {
				return false
			}
		}
	}
	return true
}

func isDomain(c byte) bool { return c == '.' || c == '-' || isDigit(c) || isLetter(c) }

// isULID reports whether the word is one: 128 bits in Crockford's base 32, of which the first digit holds only three.
func isULID(word string) bool {
	const length = 26
	if len(word) != length || word[0] < '0' || word[0] > '7' {
		return false
	}
	lower, upper := 0, 0
	for i := range length {
		c := word[i]
		switch {
		case isDigit(c):
			continue
		case !isLetter(c), c|0x20 == 'i', c|0x20 == 'l', c|0x20 == 'o', c|0x20 == 'u':
			return false
		case c&0x20 != 0:
			lower++
		default:
			upper++
		}
	}
	return lower == 0 || upper == 0
}

// isWord reports whether c belongs to a token.
func isWord(c byte) bool { return isDigit(c) || isLetter(c) || c >= 0x80 }

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHexDigit(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isHex(word string) bool {
	for i := range len(word) {
		if !isHexDigit(word[i]) {
			return false
		}
	}
	return true
}
