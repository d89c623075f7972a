package otelprof

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestNormalizeName(t *testing.T) {
	// Beside these, every name in the table of docs/configuration.md is tried by TestDocumentedNames.
	for name, want := range map[string]string{
		"":                    "",
		"/":                   "/",
		"/0":                  "/{id}",
		"7":                   "7",
		"7/8":                 "7/8",
		"a/7":                 "a/7",
		"12345":               "{id}",
		"1234":                "1234",
		"a 1234 b 123456789":  "a 1234 b {id}",
		"user_12345":          "user_{id}",
		"user12345":           "user12345",
		"x\t/7\n8":            "x\t/{id}\n8",
		"/7 /8 9":             "/{id} /{id} 9",
		"/a/7-b/7.json/7":     "/a/7-b/7.json/{id}",
		"/v1/1.2/007#8":       "/v1/1.2/{id}#8",
		"GET:/a/7":            "GET:/a/{id}",
		"/a/7é":               "/a/7é",
		"é12345":              "é12345",
		"\xff12345 12345\xff": "\xff12345 12345\xff",
		"\xff /12":            "\xff /{id}",

		"deadbeef":                         "deadbeef",
		"deadbee1":                         "{hex}",
		"DEADBEE1":                         "{hex}",
		"dEaDbE1":                          "dEaDbE1",
		"deadbeefdeadbee":                  "deadbeefdeadbee",
		"deadbeefdeadbeef":                 "{hex}",
		"1234567812345678":                 "{id}",
		"0xdeadbeef":                       "{hex}",
		"0Xdeadbeef":                       "{hex}",
		"0xdeadbee":                        "0xdeadbee",
		"0x":                               "0x",
		"4bf92f3577b34da6a3ce929d0e0e4736": "{hex}",
		"sha256:9f86d081884c7d659a2feaa0c55ad015": "sha256:{hex}",
		"web-7d9c5b6f44-x2x8k":                    "web-{hex}-x2x8k",

		"{550e8400-e29b-41d4-a716-446655440000}":   "{{uuid}}",
		"550e8400-e29b-41d4-a716-44665544000":      "{hex}-e29b-41d4-a716-{id}",
		"550e8400-e29b-41d4-a716-4466554400001":    "{hex}-e29b-41d4-a716-{id}",
		"550e8400-e29b-41d4-a716-446655440000é":    "{hex}-e29b-41d4-a716-446655440000é",
		"550e8400_e29b_41d4_a716_446655440000":     "{hex}_e29b_41d4_a716_{id}",
		"00000000-0000-0000-0000-000000000000/x/1": "{uuid}/x/1",
		"550e8400-e29b-41d4-a716-4466554400g0":     "{hex}-e29b-41d4-a716-4466554400g0",

		"01ARZ3NDEKTSV4RRFFQ69G5FAV":    "{id}",
		"01arz3ndektsv4rrffq69g5fav":    "{id}",
		"01arz3ndektsv4rrffQ69g5fav":    "01arz3ndektsv4rrffQ69g5fav",
		"81ARZ3NDEKTSV4RRFFQ69G5FAV":    "81ARZ3NDEKTSV4RRFFQ69G5FAV",
		"01ARZ3NDEKTSV4RRFFQ69G5FAI":    "01ARZ3NDEKTSV4RRFFQ69G5FAI",
		"01ARZ3NDEKTSV4RRFFQ69G5FAVX":   "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
		"01ARZ3NDEKTSV4RRFFQ69G5FA\xff": "01ARZ3NDEKTSV4RRFFQ69G5FA\xff",

		"a@b.cd":                                "{email}",
		"/users/a@b.cd/7":                       "/users/{email}/{id}",
		"<ann.b+x@b-c.d.org>":                   "<{email}>",
		"12345@b.cd":                            "{email}",
		"12345@b":                               "{id}@b",
		"@b.cd":                                 "@b.cd",
		"a@b":                                   "a@b",
		"a@b.c":                                 "a@b.c",
		"a@.cd":                                 "a@.cd",
		"a@b..cd":                               "a@b..cd",
		"a@b.cd.":                               "a@b.cd.",
		"a@b.c4":                                "a@b.c4",
		"a@b.cdé":                               "a@b.cdé",
		"a@b@c.de":                              "a@{email}",
		"git@git.example.com:a/b":               "{email}:a/b",
		strings.Repeat("x", 64) + "@b.cd":       "{email}",
		strings.Repeat("x", 65) + "@b.cd":       strings.Repeat("x", 65) + "@b.cd",
		"x@" + strings.Repeat("x", 252) + ".cd": "{email}",
		"x@" + strings.Repeat("x", 253) + ".cd": "x@" + strings.Repeat("x", 253) + ".cd",
	} {
		require.Equal(t, want, NormalizeName(name), "%q", name)
	}
}

// The rules of NormalizeName as regular expressions on what follows the start of a token, for text in which every byte
// is one character.
var (
	wordRule    = regexp.MustCompile(`^[0-9A-Za-z\x{80}-\x{ff}]+`)
	uuidRule    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	emailRule   = regexp.MustCompile(`^([A-Za-z0-9._%+-]+)@([A-Za-z0-9.-]+)`)
	domainRule  = regexp.MustCompile(`^([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$`)
	digitsRule  = regexp.MustCompile(`^[0-9]+$`)
	hexRule     = regexp.MustCompile(`^(0[xX][0-9a-fA-F]{8,}|[0-9a-fA-F]{16,})$`)
	hexMixRule  = regexp.MustCompile(`^[0-9a-fA-F]{8,}$`)
	ulidRule    = regexp.MustCompile(`^[0-7]([0-9A-HJKMNP-TV-Z]{25}|[0-9a-hjkmnp-tv-z]{25})$`)
	inPathRule  = regexp.MustCompile(`(^|[\t-\r :])/([^\t-\r ]*/)?$`)
	segmentRule = regexp.MustCompile(`^($|[\t-\r /:?#])`)
)

// naiveNormalize is the documentation of NormalizeName, written down without a thought of speed.
func naiveNormalize(name string) string {
	text := make([]rune, len(name))
	for i := range len(name) {
		text[i] = rune(name[i])
	}
	before, rest, out := "", string(text), ""
	take := func(n int, instead string) {
		if instead == "" {
			instead = rest[:n]
		}
		out, before, rest = out+instead, before+rest[:n], rest[n:]
	}
	for rest != "" {
		word := wordRule.FindString(rest)
		if word == "" {
			_, n := utf8.DecodeRuneInString(rest)
			take(n, "")
			continue
		}
		uuid := uuidRule.FindString(rest)
		email := emailRule.FindStringSubmatch(rest)
		switch {
		case email != nil && len(email[1]) <= 64 && len(email[2]) <= 255 && domainRule.MatchString(email[2]) &&
			!wordRule.MatchString(rest[len(email[0]):]):
			take(len(email[0]), "{email}")
		case uuid != "" && !wordRule.MatchString(rest[len(uuid):]):
			take(len(uuid), "{uuid}")
		case digitsRule.MatchString(word) && (len(word) >= 5 ||
			inPathRule.MatchString(before) && segmentRule.MatchString(rest[len(word):])):
			take(len(word), "{id}")
		case digitsRule.MatchString(word):
			take(len(word), "")
		case hexRule.MatchString(word), hexMixRule.MatchString(word) && strings.ContainsAny(word, "0123456789"):
			take(len(word), "{hex}")
		case ulidRule.MatchString(word):
			take(len(word), "{id}")
		default:
			take(len(word), "")
		}
	}
	bytes := make([]byte, 0, len(out))
	for _, r := range out {
		bytes = append(bytes, byte(r))
	}
	return string(bytes)
}

// checkNormalize fails unless NormalizeName does with the name what it promises for all names.
func checkNormalize(t *testing.T, name string) {
	got := NormalizeName(name)
	if want := naiveNormalize(name); got != want {
		t.Errorf("NormalizeName(%q) is %q, by the rules it is %q", name, got, want)
	}
	if again := NormalizeName(got); again != got {
		t.Errorf("NormalizeName is not idempotent: %q becomes %q, then %q", name, got, again)
	}
	if utf8.ValidString(name) != utf8.ValidString(got) {
		t.Errorf("%q becomes %q: one of them is not valid UTF-8", name, got)
	}
	if 2*len(got) > 5*len(name) {
		t.Errorf("%q becomes %q: too long", name, got)
	}
}

// parts are what interesting names are made of.
var parts = []string{
	"/", "/", "/", " ", "-", ".", "_", ":", "?", "#", "@", "%", "+", "{", "}", "\t", "\v", "~", "=", "0x",
	"7", "42", "1234", "12345", "00000000", "a", "v1", "GET", "users", "com", "example.com", "facade", "deadbeef", "1a2b3c4d",
	"9f86d081884c7d65", "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
	"ann@example.com", "://", "é", "\xff", "\u202e", "{id}", "{uuid}", "{email}", "{hex}",
}

func TestNormalizeNameProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	changed := 0
	for range 20000 {
		var name strings.Builder
		for range random.IntN(9) {
			name.WriteString(parts[random.IntN(len(parts))])
		}
		checkNormalize(t, name.String())
		if NormalizeName(name.String()) != name.String() {
			changed++
		}
	}
	require.Greater(t, changed, 5000, "the names must have something to replace")
}

func FuzzNormalizeName(f *testing.F) {
	for _, part := range parts {
		f.Add(part)
		f.Add("/" + part + "/7")
	}
	f.Fuzz(checkNormalize)
}

func TestNormalizeNameDoesNotAllocateWithoutAChange(t *testing.T) {
	for _, name := range []string{"GET /api/v1/users", "HTTP 404", "", "shop.Order/Get a@b deadbeef " + strings.Repeat("x-", 500)} {
		require.Zero(t, testing.AllocsPerRun(100, func() { NormalizeName(name) }), "%q", name)
	}
}

func BenchmarkNormalizeName(b *testing.B) {
	for _, name := range []string{"GET /api/v1/users", "GET /api/v1/users/12345", strings.Repeat("a.", 512), strings.Repeat("a.a@", 256)} {
		b.Run(name[:min(len(name), 24)], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NormalizeName(name)
			}
		})
	}
}
