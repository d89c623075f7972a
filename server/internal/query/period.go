package query

import (
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// DefaultPeriod is how far back a question goes that does not say since when.
const DefaultPeriod = time.Hour

const periodHint = "give a time such as 2026-03-01T12:00:00Z, or a duration before now such as 15m, 36h or 7d"

// ParsePeriod reads the ends of a period: each a time in RFC 3339 or a duration before now, in Go's notation or in days
// ("7d"). until is now when empty; since is DefaultPeriod before until when empty, and "all" for no beginning.
func ParsePeriod(since, until string, now time.Time) (store.Range, error) {
	r := store.Range{To: now}
	var err error
	if until != "" && until != "now" {
		if r.To, err = parseMoment("until", until, now); err != nil {
			return store.Range{}, err
		}
	}
	switch since {
	case "":
		r.From = r.To.Add(-DefaultPeriod)
	case "all":
		return r, nil
	default:
		if r.From, err = parseMoment("since", since, now); err != nil {
			return store.Range{}, err
		}
	}
	if !r.From.Before(r.To) {
		return store.Range{}, Invalidf("since must be before until",
			"the period from %s to %s is empty", r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	}
	return r, nil
}

func parseMoment(name, text string, now time.Time) (time.Time, error) {
	if d, err := ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, Invalidf(periodHint, "%s: %s is neither a time nor a duration", name, quote(text))
	}
	// Moments are counted in nanoseconds since 1970 in 63 bits.
	if t.Year() < 1970 || t.Year() > 2261 {
		return time.Time{}, Invalidf(periodHint, "%s: the year %d is out of range", name, t.Year())
	}
	return t, nil
}

// ParseDuration reads a duration of 0 or more in Go's notation, or in days.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		days, found := strings.CutSuffix(text, "d")
		n, errDays := strconv.ParseFloat(days, 64)
		if !found || errDays != nil || !(n >= 0 && n <= 36500) {
			return 0, Invalidf("write 15m, 20ms or 7d", "%s is not a duration", quote(text))
		}
		d = time.Duration(n * float64(24*time.Hour))
	}
	if d < 0 {
		return 0, Invalidf("leave the sign out", "the duration %s is negative", quote(text))
	}
	return d, nil
}

// WholeMinutes returns the range grown to whole minutes.
func WholeMinutes(r store.Range) store.Range {
	if !r.From.IsZero() {
		r.From = r.From.Truncate(time.Minute)
	}
	if !r.To.IsZero() {
		if whole := r.To.Truncate(time.Minute); !whole.Equal(r.To) {
			r.To = whole.Add(time.Minute)
		}
	}
	return r
}

// quote quotes what the asker wrote, cut to a readable length.
func quote(text string) string {
	const most = 100
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strconv.Quote(text)
}
