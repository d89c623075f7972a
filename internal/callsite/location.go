package callsite

import "github.com/stichotrope/stichotrope-go/core"

// Location is a line of source code. A [Finder] makes exactly one Location for each line, so that the pointers
// it returns can be compared and used as keys. A Location is never changed.
type Location = core.Location
