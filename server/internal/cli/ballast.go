package cli

import (
	"runtime/debug"
	"strings"
)

// ballastSize is by how much the collector takes the heap for larger than it is; of a memory limit it is the sixteenth part at most.
const ballastSize = 64 << 20

// newBallast returns memory that is never touched, and so takes none of the machine's, for the collector to count. It collects
// when the heap has grown by a share of itself: in a server that has little to do that is a few megabytes, and every
// question would bring several collections. With the ballast there are as many megabytes more between two of them.
func newBallast() *strings.Builder {
	var b strings.Builder // which does not clear its memory, as that would touch it
	b.Grow(int(min(ballastSize, debug.SetMemoryLimit(-1)/16)))
	return &b
}
