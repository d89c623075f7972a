package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

// Store is a store.Store. See [Options] and [Open].
type Store struct {
	options  Options
	local    *pebblestore.Store
	conn     driver.Conn
	inserter inserter
	database string
	// node is the name of this start of this node: no two have the same.
	node   string
	outbox outbox
	completion
	dictionaries
	// committing is held by Commit, and guards order and packed, which is memory for a parcel.
	committing sync.Mutex
	order      uint64
	packed     []byte
	// ready is set when the tables were found to be those of this version.
	ready  atomic.Bool
	closed atomic.Bool
}

var _ store.Store = (*Store)(nil)

// Open opens a store. ClickHouse need not answer: what comes waits for it then. If it answers and refuses, that is the error.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.setDefaults()
	driverOptions, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(driverOptions)
	if err != nil {
		return nil, explain(err)
	}
	s := &Store{options: o, conn: conn, inserter: inserter{options: driverOptions}, database: driverOptions.Auth.Database, node: newNodeName()}
	if err := s.prepare(ctx); err != nil {
		if !passes(err) {
			return nil, errors.Join(explain(err), conn.Close())
		}
		o.Logger.Warn("store: ClickHouse does not answer; spans wait for it on the disk", "error", explain(err))
	}
	s.local, err = pebblestore.Open(pebblestore.Options{
		Dir: o.Dir, MaxBytes: o.QueueBytes, ReserveBytes: o.ReserveBytes, Logger: o.Logger, Now: o.Now,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if size, err := s.local.Size(ctx); err == nil && size.Spans > 0 {
		o.Logger.Warn("store: the folder of the queue has spans of --store pebble, which are neither shown nor sent to ClickHouse", "spans", size.Spans)
	}
	if err := s.outbox.open(ctx, s); err != nil {
		return nil, errors.Join(err, s.local.Close(), conn.Close())
	}
	s.startCompleting()
	return s, nil
}

// newNodeName returns a name that nobody had before, with that of the host.
func newNodeName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%08x", host, rand.Uint32())
}

// prepare sees to it that the tables are those of this version.
func (s *Store) prepare(ctx context.Context) error {
	if s.ready.Load() {
		return nil
	}
	if err := s.options.Schema.Validate(); err != nil {
		return err
	}
	var err error
	if s.options.KeepSchema {
		var found int
		if found, err = foundVersion(ctx, s.conn); err == nil {
			err = checkVersion(found)
		}
	} else {
		err = migrate(ctx, s.conn, s.options.Schema)
	}
	if err == nil {
		s.ready.Store(true)
	}
	return err
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, entry []byte) (uint64, error) {
	return s.local.Append(ctx, entry)
}

// Replay implements store.Store.
func (s *Store) Replay(ctx context.Context, f func(seq uint64, entry []byte, consumed store.Bits) error) error {
	return s.local.Replay(ctx, f)
}

// Ready returns why the store could not take a request now; nil if it could, with or without ClickHouse.
func (s *Store) Ready(ctx context.Context) error { return s.local.Ready(ctx) }

// Commit implements store.Store. It does not wait for ClickHouse.
func (s *Store) Commit(ctx context.Context, g *store.Segment) error {
	if err := g.Validate(); err != nil {
		return err
	}
	spans := 0
	for i := range g.Traces {
		spans += len(g.Traces[i].Spans)
	}
	if spans == 0 && len(g.Profiles) == 0 {
		err := s.local.Commit(ctx, &store.Segment{Consumed: g.Consumed})
		if err == nil {
			s.outbox.addNothing()
		}
		return err
	}
	s.committing.Lock()
	defer s.committing.Unlock()
	order := max(uint64(s.options.Now().UnixNano()), s.order+1)
	m := s.outbox.take()
	if err := m.encode(g, s.node, order); err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	packed := m.pack(s.packed)
	if s.packed = packed; cap(packed) > keepParcel {
		s.packed = nil
	}
	number, err := s.local.CommitParcel(ctx, packed, g.Consumed)
	if err != nil {
		return err
	}
	s.order = order
	s.outbox.add(number, m)
	return nil
}

// Close implements store.Store. It tries for Options.CloseTime to send what waits; what does not go stays on the disk.
func (s *Store) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return store.ErrClosed
	}
	s.stopCompleting()
	s.outbox.close(s.options.CloseTime)
	s.inserter.close()
	return errors.Join(s.local.Close(), s.conn.Close())
}

// use returns why nothing can be read.
func (s *Store) use(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Counters tell what is on its way to ClickHouse.
type Counters struct {
	// Waiting and WaitingSpans are the parcels that ClickHouse does not have yet, and their spans; Oldest is since when.
	Waiting, WaitingSpans int64
	Oldest                time.Time
	// QueueBytes is how much they and the log take on the disk, QueueLimit how much they may.
	QueueBytes, QueueLimit int64
	// Sent and SentSpans are those that ClickHouse took since the store was opened, Failed how often it did not.
	Sent, SentSpans, Failed uint64
	// Damaged is how many parcels could not be read from the disk and were given up.
	Damaged uint64
	// Local are those of the queue's store.
	Local pebblestore.Counters
}

// Counters returns the present counts. It may be called at any time.
func (s *Store) Counters() Counters {
	c := s.outbox.counters()
	c.QueueLimit, c.Local = s.options.QueueBytes, s.local.Counters()
	if !s.closed.Load() {
		c.QueueBytes = s.local.QueueBytes()
	}
	return c
}
