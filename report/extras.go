package report

import "github.com/stichotrope/stichotrope-go/core"

// extras says what a profile has that not every one has: the profile of one process needs no service, and critical paths
// are computed by a server. The reports show it only where there is some.
type extras struct{ service, critical bool }

func extrasOf(s *core.Snapshot) (x extras) {
	for i := range s.Blocks {
		x.service = x.service || s.Blocks[i].Site.Service != ""
		x.critical = x.critical || s.Blocks[i].Stats.Critical != 0
	}
	return x
}

// trackName returns the track of a site, behind its service if it has one.
func trackName(service, track string) string {
	switch {
	case service == "":
		return track
	case track == "":
		return service
	}
	return service + "/" + track
}
