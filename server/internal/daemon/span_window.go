package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// spanWindow is the time that span metrics are of. Counters must not shrink, but the store forgets what is too old: so the
// window begins with the server, and anew, which Prometheus takes for a restart, before anything of it is
// forgotten. That bounds what a look costs, too.
type spanWindow struct {
	engine    *query.Engine
	retention time.Duration

	mu    sync.Mutex
	since time.Time
}

// spanWindowLength is how long a window is at most.
const spanWindowLength = 24 * time.Hour

func (w *spanWindow) profile(ctx context.Context) (*core.Snapshot, error) {
	return w.engine.Profile(ctx, store.Range{From: w.from(w.engine.Now())}, nil)
}

func (w *spanWindow) from(now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	length := spanWindowLength
	if w.retention > 0 {
		length = min(length, w.retention/2)
	}
	if now.Sub(w.since) >= length {
		w.since = now.Truncate(time.Minute)
	}
	return w.since
}
