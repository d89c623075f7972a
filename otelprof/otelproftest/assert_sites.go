package otelproftest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// ExactlySites asserts that all of these sites were called, and no others:
//
//	rec.ExactlySites(rec.Site("shop", "GET /cart"), rec.Site("sql", "*"))
func (r *Recorder) ExactlySites(sites ...Site) {
	r.tb.Helper()
	snapshot := r.Snapshot()
	var problems []string
	for _, s := range sites {
		if s.in(snapshot).stats.Count == 0 {
			problems = append(problems, fmt.Sprintf("%v was never called", s))
		}
	}
	unexpected := func(site core.Site) bool {
		return !slices.ContainsFunc(sites, func(s Site) bool { return s.matchesSite(site) })
	}
	for i := range snapshot.Blocks {
		if b := &snapshot.Blocks[i]; b.Stats.Count > 0 && unexpected(b.Site) {
			found := selection{r.Site(b.Site.Track, b.Site.Name), snapshot, sitesOf(b.Site), b.Stats}
			problems = append(problems, fmt.Sprintf("%s was called %s and is not expected", found.where(), times(b.Stats.Count)))
		}
	}
	if len(problems) > 0 {
		problems = bounded(problems)
		r.fail(snapshot, unexpected, "the sites are not as expected:\n    %s", strings.Join(problems, "\n    "))
	}
}

// AllEnded asserts that every span and block that was started has ended.
func (r *Recorder) AllEnded() {
	r.tb.Helper()
	snapshot := r.Snapshot()
	if open := openCalls(snapshot); open != "" {
		r.fail(snapshot, nil, "not everything has ended: %s", open)
	}
}

// openCalls lists what is open, "" if nothing is.
func openCalls(s *core.Snapshot) string {
	var open []string
	for i := range s.Blocks {
		if b := &s.Blocks[i]; b.Stats.Active > 0 {
			text := fmt.Sprintf("%s of %s", calls(uint64(b.Stats.Active)), label(b.Site.Track, b.Site.Name))
			if at := location(b.Site); at != "" {
				text += " at " + at
			}
			open = append(open, text)
		}
	}
	return strings.Join(bounded(open), ", ")
}

// maxListed is how many sites a message lists.
const maxListed = 20

// bounded returns the first lines of a list, and how many more there are.
func bounded(lines []string) []string {
	if len(lines) <= maxListed {
		return lines
	}
	return append(lines[:maxListed:maxListed], fmt.Sprintf("and %d more", len(lines)-maxListed))
}

func sitesOf(s core.Site) []core.Site { return []core.Site{s} }
