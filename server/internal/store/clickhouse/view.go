package clickhouse

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// view is a store.View: the tables, and the parcels of this node that were committed until a moment. While it is open nothing is
// sent that was committed after it, and while it is being read nothing at all; commits do not wait for it.
type view struct {
	*Store
	// upTo is how many commits it shows.
	upTo  uint64
	close func()
}

var (
	_ store.Viewer = (*Store)(nil)
	_ store.View   = view{}
)

// View implements store.Viewer.
func (s *Store) View() store.View {
	o := &s.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	upTo := o.commits
	o.views[upTo]++
	return view{s, upTo, sync.OnceFunc(func() { o.leave(upTo) })}
}

// Commits implements store.View.
func (s view) Commits() uint64 { return s.upTo }

// Close implements store.View.
func (s view) Close() { s.close() }

// now returns a view of everything that is committed when it is read. It needs no Close.
func (s *Store) now() view { return view{Store: s, upTo: math.MaxUint64} }

// unhurried is a context that keeps its deadline to itself: the driver would tell ClickHouse, which refuses that to users that may
// only read. It is told to stop when the time is over.
type unhurried struct{ context.Context }

// Deadline implements context.Context.
func (unhurried) Deadline() (time.Time, bool) { return time.Time{}, false }

// Traces implements store.Reader.
func (s *Store) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	return s.now().Traces(ctx, ids, within)
}

// Search implements store.Reader.
func (s *Store) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	return s.now().Search(ctx, q)
}

// Services implements store.Reader.
func (s *Store) Services(ctx context.Context) ([]string, error) { return s.now().Services(ctx) }

// Operations implements store.Reader.
func (s *Store) Operations(ctx context.Context, service string) ([]store.Operation, error) {
	return s.now().Operations(ctx, service)
}

// Profile implements store.Reader.
func (s *Store) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	return s.now().Profile(ctx, within)
}

// Profiles implements store.Reader.
func (s *Store) Profiles(ctx context.Context, within store.Range, step int, f func(minute int64, p *core.Snapshot) error) error {
	return s.now().Profiles(ctx, within, step, f)
}

// Size implements store.Reader.
func (s *Store) Size(ctx context.Context) (store.Size, error) { return s.now().Size(ctx) }
