package query

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/stichotrope/stichotrope-go/core"
)

// Filter selects blocks: every term of it must hold.
type Filter struct{ terms []term }

// term holds or not for a block in a period of so many seconds.
type term func(site core.Site, s *core.Stats, seconds float64) bool

// maxFilter and maxTerms bound what a filter may cost.
const (
	maxFilter = 4096
	maxTerms  = 64
)

const filterHint = `write terms such as checkout, service:cart, name="GET /", -kind:client, p99>20ms, errors>0, error_rate>=1%`

// texts are the parts of a site that can be filtered by.
var texts = map[string]func(core.Site) string{
	"service":  func(s core.Site) string { return s.Service },
	"track":    func(s core.Site) string { return s.Track },
	"name":     func(s core.Site) string { return s.Name },
	"kind":     func(s core.Site) string { return s.Kind.String() },
	"function": func(s core.Site) string { return s.Function },
	"file":     func(s core.Site) string { return s.File },
}

// ParseFilter reads a filter: terms between spaces, all of which must hold, each negated by a minus before it.
//
//	checkout        a text of the site contains it, whatever the case
//	name:checkout   this text contains it: service, track, name, kind, function or file
//	name=checkout   this text is exactly it
//	p99>20ms        a figure compares so, by >, >=, <, <= or =; durations with a unit, ratios as 0.01 or 1%
//
// Values with spaces stand in double quotes, with \" and \\ inside.
func ParseFilter(text string) (Filter, error) {
	if len(text) > maxFilter {
		return Filter{}, Invalidf(filterHint, "the filter has %d bytes, at most %d are allowed", len(text), maxFilter)
	}
	var f Filter
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" {
			return f, nil
		}
		if len(f.terms) == maxTerms {
			return Filter{}, Invalidf(filterHint, "the filter has more than %d terms", maxTerms)
		}
		negated := false
		if text[0] == '-' {
			negated, text = true, text[1:]
		}
		t, rest, err := parseTerm(text)
		if err != nil {
			return Filter{}, err
		}
		if negated {
			positive := t
			t = func(site core.Site, s *core.Stats, seconds float64) bool { return !positive(site, s, seconds) }
		}
		f.terms, text = append(f.terms, t), rest
	}
}

// parseTerm reads one term from the beginning of a text.
func parseTerm(text string) (t term, rest string, err error) {
	end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`:=<>"`, r) })
	if end <= 0 || !strings.ContainsRune(":=<>", rune(text[end])) {
		value, rest, err := parseValue(text)
		if err == nil && value == "" {
			err = Invalidf(filterHint, "the filter has an empty term before %s", quote(text))
		}
		return anywhere(value), rest, err
	}
	key, text := strings.ToLower(text[:end]), text[end:]
	op := text[:1]
	if text = text[1:]; (op == "<" || op == ">") && strings.HasPrefix(text, "=") {
		op, text = op+"=", text[1:]
	}
	value, rest, err := parseValue(text)
	if err != nil {
		return nil, "", err
	}
	if part, ok := texts[key]; ok {
		t, err = compareText(key, part, op, value)
		return t, rest, err
	}
	t, err = compareFigure(key, op, value)
	return t, rest, err
}

// parseValue reads a value up to a space, or up to the closing quote.
func parseValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", Invalidf(filterHint, "the quote of %s is not closed", quote(text))
}

func anywhere(value string) term {
	value = strings.ToLower(value)
	return func(site core.Site, _ *core.Stats, _ float64) bool {
		for _, text := range []string{site.Service, site.Track, site.Name, site.Function, site.File} {
			if strings.Contains(strings.ToLower(text), value) {
				return true
			}
		}
		return false
	}
}

func compareText(key string, part func(core.Site) string, op, value string) (term, error) {
	switch op {
	case ":":
		value = strings.ToLower(value)
		return func(site core.Site, _ *core.Stats, _ float64) bool {
			return strings.Contains(strings.ToLower(part(site)), value)
		}, nil
	case "=":
		return func(site core.Site, _ *core.Stats, _ float64) bool { return part(site) == value }, nil
	}
	return nil, Invalidf(filterHint, "%s is a text: it has no %s, only : and =", key, op)
}

func compareFigure(key, op, value string) (term, error) {
	f, ok := figures[key]
	if !ok {
		return nil, Invalidf("figures are "+figureNames(), "the filter has an unknown key %s", quote(key))
	}
	want, err := f.unit.parse(value)
	if err != nil {
		return nil, Invalidf(filterHint, "the filter compares %s with %s, which is not a %s", key, quote(value), f.unit.name())
	}
	holds := map[string]func(a, b float64) bool{
		">": func(a, b float64) bool { return a > b }, ">=": func(a, b float64) bool { return a >= b },
		"<": func(a, b float64) bool { return a < b }, "<=": func(a, b float64) bool { return a <= b },
		"=": func(a, b float64) bool { return a == b },
	}[op]
	if holds == nil {
		return nil, Invalidf(filterHint, "%s is a figure: it has no %s, only >, >=, <, <= and =", key, op)
	}
	return func(_ core.Site, s *core.Stats, seconds float64) bool { return holds(f.value(s, seconds), want) }, nil
}

func (u unit) parse(text string) (float64, error) {
	switch u {
	case nanoseconds:
		d, err := ParseDuration(text)
		return float64(d), err
	case ratio:
		if percent, ok := strings.CutSuffix(text, "%"); ok {
			v, err := strconv.ParseFloat(percent, 64)
			return v / 100, err
		}
	}
	return strconv.ParseFloat(text, 64)
}

func (u unit) name() string {
	return [...]string{"number", "duration with a unit", "number or percentage"}[u]
}

// Match reports whether all terms hold for a block in a period of so many seconds.
func (f Filter) Match(site core.Site, s *core.Stats, seconds float64) bool {
	for _, t := range f.terms {
		if !t(site, s, seconds) {
			return false
		}
	}
	return true
}
