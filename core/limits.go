package core

import (
	"errors"
	"fmt"
)

// Limits bound the memory of an [Aggregator]. What is over a limit is counted in a visible overflow block or
// node, and in a counter of [Counters]; nothing is lost silently.
type Limits struct {
	// MaxSites is how many sites get a block of their own; the others share OverflowSite. Counter: OverflowSites.
	MaxSites int
	// MaxNodes is how many nodes the call tree may have. Further paths are filed below one overflow node, by
	// site, so that there can be up to MaxSites more. Counter: OverflowNodes.
	MaxNodes int
	// MaxDepth is how deep the call tree may be. What is deeper is filed as what is over MaxNodes.
	MaxDepth int
	// MaxActive is how many spans may be open at once. The oldest are given up. Counter: Evicted.
	MaxActive int
	// MaxPending is how many ended spans of one trace wait in memory for the final name of an ancestor that
	// is still open before they are filed under its present name. Counter: Settled.
	MaxPending int
	// MaxName is the length of names, functions and paths in bytes. Longer ones are cut. Counter: Truncated.
	MaxName int
}

// DefaultLimits returns the limits used unless others are given: 2 to 4 KiB for each site that is in use.
func DefaultLimits() Limits {
	return Limits{MaxSites: 4096, MaxNodes: 32768, MaxDepth: 256, MaxActive: 65536, MaxPending: 512, MaxName: 1024}
}

const maxLimit = 1 << 24

// Validate returns an error that names every limit out of its range: 1 to 2^24, MaxName from 16 on.
func (l Limits) Validate() error {
	var errs []error
	check := func(name string, value, least int) {
		if value < least || value > maxLimit {
			errs = append(errs, fmt.Errorf("limit %s is %d, want %d to %d", name, value, least, maxLimit))
		}
	}
	check("MaxSites", l.MaxSites, 1)
	check("MaxNodes", l.MaxNodes, 1)
	check("MaxDepth", l.MaxDepth, 1)
	check("MaxActive", l.MaxActive, 1)
	check("MaxPending", l.MaxPending, 1)
	check("MaxName", l.MaxName, 16)
	return errors.Join(errs...)
}
