package otelproftest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// Site selects sites of the profile by track and name, whatever their kind and location. Get one from [Recorder.Site].
// The methods that assert something return the Site, so that they can be chained.
type Site struct {
	rec         *Recorder
	track, name string
}

// Site selects the sites with a track, by default the name of the tracer, and the name of a span or block. "*" stands for
// any track or any name.
func (r *Recorder) Site(track, name string) Site { return Site{r, track, name} }

// String returns the selection for messages, as "name" [track].
func (s Site) String() string {
	switch {
	case s.name == "*" && s.track == "*":
		return "any site"
	case s.name == "*":
		return "any site of [" + visible(s.track) + "]"
	case s.track == "*":
		return strconv.Quote(cut(s.name))
	}
	return label(s.track, s.name)
}

func (s Site) matches(n siteName) bool {
	return (s.track == "*" || s.track == n.track) && (s.name == "*" || s.name == n.name)
}

func (s Site) matchesSite(site core.Site) bool { return s.matches(siteName{site.Track, site.Name}) }

// Stats returns the statistics of all sites selected together, for checks of your own.
func (s Site) Stats() core.Stats { return s.in(s.rec.Snapshot()).stats }

// selection is what a Site selects of a snapshot.
type selection struct {
	Site
	snapshot *core.Snapshot
	sites    []core.Site
	stats    core.Stats
}

func (s Site) in(snapshot *core.Snapshot) selection {
	found := selection{Site: s, snapshot: snapshot}
	for i := range snapshot.Blocks {
		if b := &snapshot.Blocks[i]; s.matchesSite(b.Site) {
			found.stats = found.stats.Merge(b.Stats)
			if b.Stats.Count > 0 {
				found.sites = append(found.sites, b.Site)
			}
		}
	}
	return found
}

// where names what was selected, with the location if there is only one.
func (s selection) where() string {
	if len(s.sites) != 1 || location(s.sites[0]) == "" {
		return s.String()
	}
	return s.String() + " at " + location(s.sites[0])
}

// called returns the selection, or fails the test and returns false if nothing of it was called: a bound on what never
// happens would hold for any misspelled name.
func (s Site) called() (selection, bool) {
	s.rec.tb.Helper()
	found := s.in(s.rec.Snapshot())
	if found.stats.Count > 0 {
		return found, true
	}
	s.rec.fail(found.snapshot, nil, "%v was never called, so that there is nothing to check; %s", s, recorded(found.snapshot))
	return found, false
}

// recorded lists the sites that were called.
func recorded(s *core.Snapshot) string {
	var names []string
	for i := range s.Blocks {
		if b := &s.Blocks[i]; b.Stats.Count > 0 {
			names = append(names, label(b.Site.Track, b.Site.Name))
		}
	}
	if len(names) == 0 {
		return "nothing was recorded"
	}
	return "recorded were " + strings.Join(bounded(slices.Compact(names)), ", ")
}
