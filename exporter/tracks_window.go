package exporter

import (
	"fmt"

	"github.com/stichotrope/stichotrope-go/core"
)

// window is what one report shows.
type window struct {
	profile    *core.Snapshot
	cumulative bool
	// unsampledLinks: exemplars that are not sampled are linked to as well.
	unsampledLinks bool
	// detailed is how many nodes show their mean and quantiles.
	detailed int
	// folded is how many nodes are missing from the profile because of the limit.
	folded int
	// undelivered is how many reports before this one failed, whose windows are in this one.
	undelivered int
	// restarted says why the window does not follow the one before, else it is empty.
	restarted string
}

// isEmpty reports whether there is nothing to show.
func (w *window) isEmpty() bool {
	return w.profile.IsEmpty() && w.profile.Counters == (core.Counters{}) && w.restarted == ""
}

// windows turns the states of a profile into windows. A window that was not delivered becomes a part of the next.
type windows struct {
	cumulative bool
	// last is the state of the profile at the end of the last window that was delivered; nil at first.
	last        *core.Snapshot
	undelivered int
}

// next returns the window that ends with the state s.
func (ws *windows) next(s *core.Snapshot) *window {
	w := &window{profile: s, cumulative: ws.cumulative, undelivered: ws.undelivered}
	d, err := s.Sub(ws.last)
	switch {
	case err != nil:
		w.restarted = fmt.Sprintf("the profile started anew: %v", err)
	case !ws.cumulative:
		w.profile = d
	}
	return w
}

// delivered starts the next window at the state s.
func (ws *windows) delivered(s *core.Snapshot) { ws.last, ws.undelivered = s, 0 }
