package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// completion completes traces whose spans were filed in parts: docs/adr/012. It is a part of Store.
type completion struct {
	// completing is held during a round.
	completing sync.Mutex
	missing    int // rounds in a row that missed the plan they had written

	stop   chan struct{}
	ended  sync.WaitGroup
	cancel context.CancelFunc

	progress sync.Mutex
	counted  Completion
}

// Completion tells how the completion of traces goes.
type Completion struct {
	// On: this node takes part. Holds: it is the one that does it now.
	On, Holds bool
	// Through is the time before which all parts that had arrived are completed; zero if that is not known.
	Through time.Time
	// Traces and Parts are those that this node completed, Skipped the parts that it could not, because spans of them were gone.
	Traces, Parts, Skipped uint64
	// Failed is how many rounds failed.
	Failed uint64
}

// Completion returns how it goes. It may be called at any time.
func (s *Store) Completion() Completion {
	s.progress.Lock()
	defer s.progress.Unlock()
	return s.counted
}

// report changes what Completion returns.
func (c *completion) report(f func(*Completion)) {
	c.progress.Lock()
	defer c.progress.Unlock()
	f(&c.counted)
}

// startCompleting starts the rounds, if there are to be any.
func (s *Store) startCompleting() {
	s.stop = make(chan struct{})
	s.counted.On = s.options.Complete != nil
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if s.options.Complete == nil || s.options.CompleteEvery < 0 {
		return
	}
	s.ended.Go(func() {
		ticker := time.NewTicker(s.options.CompleteEvery)
		defer ticker.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-ticker.C:
			}
			if err := s.CompleteTraces(ctx); err != nil && ctx.Err() == nil {
				s.options.Logger.Error("store: traces of several nodes could not be completed; trying again", "error", err)
			}
		}
	})
}

// stopCompleting ends the rounds, and lets another node go on.
func (s *Store) stopCompleting() {
	close(s.stop)
	s.cancel()
	s.ended.Wait()
	if s.Completion().Holds {
		ctx, release := limit(context.Background(), time.Second)
		defer release()
		_ = s.release(ctx) // if it fails, they wait until the time is over
	}
}

// CompleteTraces completes what arrived until Options.CompleteGrace ago, if this node is the one to do it or can become it now.
// It goes on where the last one ended, on whatever node, and has no effect if that has been done. The store calls it by
// itself every Options.CompleteEvery.
func (s *Store) CompleteTraces(ctx context.Context) error {
	if s.options.Complete == nil {
		return errors.New("completing traces is switched off")
	}
	s.completing.Lock()
	defer s.completing.Unlock()
	err := explain(s.prepare(ctx))
	if err == nil {
		err = s.completeRound(ctx)
	}
	if err != nil {
		s.report(func(c *Completion) { c.Failed++ })
	}
	return err
}

func (s *Store) completeRound(ctx context.Context) error {
	e, ours, err := s.hold(ctx)
	for {
		s.report(func(c *Completion) {
			c.Holds = err == nil && ours
			if e.through > 0 {
				c.Through = time.Unix(0, e.through)
			}
		})
		if err != nil || !ours {
			return err
		}
		var more bool
		if e, more, err = s.completeSome(ctx, e); err != nil {
			return err
		}
		if !more && e.through == s.Completion().Through.UnixNano() {
			return nil
		}
		if e, ours, err = s.renew(ctx, e); !more {
			s.report(func(c *Completion) { c.Through = time.Unix(0, e.through) })
			return err
		}
	}
}

// completeSome carries out the next plan, and makes it first if there is none. It returns how far it came, to be noted, and
// whether there may be more.
func (s *Store) completeSome(ctx context.Context, e entry) (next entry, more bool, err error) {
	// The time that the node has the right for is longer.
	ctx, release := limit(ctx, s.options.Timeout)
	defer release()
	number := e.done + 1
	parts, err := s.plan(ctx, number)
	if err != nil {
		return e, false, err
	}
	if len(parts) == 0 {
		until := s.options.Now().Add(-s.options.CompleteGrace).UnixNano()
		found, all, err := s.fresh(ctx, e.through-int64(overlap), until)
		if err != nil {
			return e, false, err
		}
		if len(found) == 0 {
			if all {
				e.through = max(e.through, until)
			}
			return e, !all, nil
		}
		if parts, err = s.writePlan(ctx, number, found); err != nil {
			return s.passOver(e, err)
		}
		s.missing = 0
	}
	if err := s.carryOut(ctx, number, parts); err != nil {
		return e, false, fmt.Errorf("plan %d: %w", number, err)
	}
	e.done = number
	return e, true, nil
}

// passOver goes on to the next plan if one stays away that was written: it is so old that ClickHouse has deleted it, and only
// knows its token.
func (s *Store) passOver(e entry, err error) (entry, bool, error) {
	if !errors.Is(err, errPlanGone) {
		return e, false, err
	}
	if s.missing++; s.missing < maxMissing {
		return e, false, err
	}
	s.options.Logger.Error("store: a plan to complete traces is lost; it is passed over", "plan", e.done+1)
	s.missing = 0
	e.done++
	return e, true, nil
}

// maxMissing is how many rounds a plan may be missing: a replica may be behind.
const maxMissing = 30

// carryOut corrects the profile by what a plan is about. To do so again has no effect.
func (s *Store) carryOut(ctx context.Context, number uint64, parts []planned) error {
	all, err := s.plansOf(ctx, parts)
	if err != nil {
		return err
	}
	found, traces, skipped, err := s.scattered(ctx, number, all)
	if err != nil {
		return err
	}
	before, after, err := s.options.Complete(found, traces)
	if err != nil {
		return err
	}
	rows, name := makeCorrection(before, after), token("plan", number)
	if err := s.insertNames(ctx, name, rows); err != nil {
		return explain(err)
	}
	if _, err := s.insert(ctx, name, "otelprof_profile", profileColumns, rows.columns(), len(rows.minute)); err != nil {
		return explain(err)
	}
	s.report(func(c *Completion) {
		c.Traces += uint64(len(traces))
		c.Parts += uint64(len(parts))
		c.Skipped += uint64(skipped)
	})
	return nil
}
