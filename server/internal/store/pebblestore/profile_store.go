package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// profileStore keeps the profiles: each segment's as parts of minutes, which a goroutine rolls up to hours.
type profileStore struct {
	s       *Store
	encoder *zstd.Encoder

	mu     sync.Mutex
	hours  map[int64]*hourState
	number uint64 // the highest of a part
	bytes  int64  // what all of it takes

	// changing is held by roll and cut, of which there is one at a time. switching is held, for reading, by whoever plans and
	// then reads, so that what was planned is there, and for writing while it is replaced.
	changing  sync.Mutex
	switching sync.RWMutex
	cache     profileCache

	wake    chan struct{}
	done    chan struct{}
	stopped chan struct{}
}

func openProfiles(s *Store) (*profileStore, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	p := &profileStore{
		s: s, encoder: encoder, hours: make(map[int64]*hourState), cache: profileCache{merged: make(map[uint64]*core.Snapshot)},
		wake: make(chan struct{}, 1), done: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := p.load(); err != nil {
		return nil, err
	}
	p.wake <- struct{}{}
	go p.keepRolling()
	return p, nil
}

func (p *profileStore) stop() {
	close(p.done)
	<-p.stopped
}

// write puts the profiles of a segment into its batch.
func (p *profileStore) write(batch *pebble.Batch, profiles []store.Profile) ([]profilePart, error) {
	p.mu.Lock()
	number := p.number
	p.mu.Unlock()
	var parts []profilePart
	for i := range profiles {
		number++
		part, err := p.put(batch, profiles[i].Minute, number, profiles[i].Snapshot)
		if err != nil {
			return nil, fmt.Errorf("segment: the profile of minute %d: %w", profiles[i].Minute, err)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (p *profileStore) put(batch *pebble.Batch, minute int64, number uint64, snapshot *core.Snapshot) (profilePart, error) {
	value, err := p.encode(nil, snapshot)
	if err != nil {
		return profilePart{}, err
	}
	part := profilePart{minute, number, int64(len(value))}
	return part, errors.Join(
		batch.Set(key(keyMinute, ordered(minute), number), binary.AppendUvarint(nil, uint64(len(value))), nil),
		batch.Set(key(keyPart, ordered(minute), number), value, nil))
}

// add notes parts that were committed.
func (p *profileStore) add(parts []profilePart) {
	if len(parts) == 0 {
		return
	}
	p.mu.Lock()
	for _, part := range parts {
		p.insert(part)
		p.number = max(p.number, part.number)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// part reads a part.
func (p *profileStore) part(part profilePart) (*core.Snapshot, error) {
	value, err := p.s.get(key(keyPart, ordered(part.minute), part.number))
	if err != nil {
		return nil, err
	}
	b, err := checked(value)
	if err != nil {
		return nil, err
	}
	return p.s.decodeProfile(b)
}

// own reads the profile of an hour.
func (p *profileStore) own(hour int64) (*core.Snapshot, error) {
	value, err := p.s.get(key(keyHour, ordered(hour)))
	if err != nil {
		return nil, err
	}
	b, err := checked(value)
	if err != nil || len(b) < 8 {
		return nil, errors.Join(err, damagedIf(err == nil, "the profile of an hour is too short"))
	}
	return p.s.decodeProfile(b[8:])
}

// readHour returns the number that an hour's profile covers.
func (p *profileStore) readHour(value pebble.LazyValue) (covers uint64, rest []byte, err error) {
	v, _, err := value.Value(nil)
	if err != nil {
		return 0, nil, err
	}
	b, err := checked(v)
	if err != nil || len(b) < 8 {
		return 0, nil, errors.Join(err, damagedIf(err == nil, "the profile of an hour is too short"))
	}
	return binary.BigEndian.Uint64(b), b[8:], nil
}

// merged returns the profile of the minutes from until before until, nil if there is none. With store.ErrDamaged, it
// returns what can be read as well.
func (p *profileStore) merged(ctx context.Context, from, until int64) (*core.Snapshot, error) {
	p.switching.RLock()
	defer p.switching.RUnlock()
	plan := p.plan(from, until)
	if len(plan.hours)+len(plan.parts) == 0 {
		return nil, nil
	}
	var whole merger
	var bad error
	for _, run := range plan.runs() {
		s, err := p.run(ctx, run)
		if err != nil && !errors.Is(err, store.ErrDamaged) {
			return nil, err
		}
		bad = errors.Join(bad, err)
		whole.add(s)
	}
	return whole.result(), bad
}

// run returns the profile of a part of a plan. With store.ErrDamaged, it returns what can be read as well.
func (p *profileStore) run(ctx context.Context, run run) (*core.Snapshot, error) {
	if run.key != 0 {
		return p.cache.get(run.key, func() (*core.Snapshot, error) {
			run.key = 0
			return p.run(ctx, run)
		})
	}
	reads := make([]func() (*core.Snapshot, error), 0, len(run.hours)+len(run.parts))
	for _, hour := range run.hours {
		reads = append(reads, func() (*core.Snapshot, error) { return p.own(hour.hour) })
	}
	for _, part := range run.parts {
		reads = append(reads, func() (*core.Snapshot, error) { return p.part(part) })
	}
	return p.mergeAll(ctx, reads)
}

// mergeAll merges what the functions return, which it calls from as many goroutines as there are processors.
func (p *profileStore) mergeAll(ctx context.Context, reads []func() (*core.Snapshot, error)) (*core.Snapshot, error) {
	workers := make([]struct {
		merger
		bad, failed error
	}, min(runtime.GOMAXPROCS(0), len(reads)))
	var next atomic.Int64
	var group sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		group.Go(func() {
			for n := next.Add(1); n <= int64(len(reads)) && w.failed == nil; n = next.Add(1) {
				s, err := reads[n-1]()
				switch {
				case err == nil:
					w.add(s)
					w.failed = ctx.Err()
				case errors.Is(err, store.ErrDamaged):
					p.s.report("a profile cannot be read", err)
					w.bad = err
				default:
					w.failed = err
				}
			}
		})
	}
	group.Wait()
	var whole merger
	var bad error
	for i := range workers {
		if err := workers[i].failed; err != nil {
			return nil, err
		}
		bad = errors.Join(bad, workers[i].bad)
		whole.add(workers[i].result())
	}
	return whole.result(), bad
}

// Profile implements store.Reader. With store.ErrDamaged, it returns what can be read as well.
func (s *Store) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	from, until := within.Minutes()
	snapshot, err := s.profiles.merged(ctx, from, until)
	if snapshot == nil {
		snapshot = &core.Snapshot{}
	}
	return snapshot, err
}

// Profiles implements store.Reader. With store.ErrDamaged, f has been called with what can be read.
func (s *Store) Profiles(ctx context.Context, within store.Range, step int, f func(minute int64, p *core.Snapshot) error) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	from, until := within.Minutes()
	var bad error
	for _, first := range s.profiles.steps(from, until, step) {
		last := first + int64(max(step, 1))
		snapshot, err := s.profiles.merged(ctx, max(first, from), min(last, until))
		if errors.Is(err, store.ErrDamaged) {
			bad = err
		} else if err != nil {
			return err
		}
		if snapshot == nil {
			continue
		}
		if err := f(first, snapshot); err != nil {
			return err
		}
	}
	return bad
}
