package pipeline

import (
	"context"
	"maps"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Profile implements store.Reader.
func (l *Live) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	live, committed, release := l.readProfiles(within)
	defer release()
	stored, err := committed.Profile(ctx, within)
	if err != nil {
		return nil, err
	}
	if len(live) == 0 {
		return stored, nil
	}
	parts := []*core.Snapshot{stored}
	for _, minute := range slices.Sorted(maps.Keys(live)) {
		parts = append(parts, live[minute]...)
	}
	return core.Merge(parts...), nil
}

// Profiles implements store.Reader.
func (l *Live) Profiles(ctx context.Context, within store.Range, step int, f func(minute int64, s *core.Snapshot) error) error {
	minutes, committed, release := l.readProfiles(within)
	defer release()
	live := map[int64][]*core.Snapshot{}
	for minute, parts := range minutes {
		first := store.FloorStep(minute, step)
		live[first] = append(live[first], parts...)
	}
	rest := slices.Sorted(maps.Keys(live))
	// before calls f for the live steps that come before the minute.
	before := func(minute int64) error {
		for ; len(rest) > 0 && rest[0] < minute; rest = rest[1:] {
			if err := f(rest[0], core.Merge(live[rest[0]]...)); err != nil {
				return err
			}
		}
		return nil
	}
	err := committed.Profiles(ctx, within, step, func(minute int64, s *core.Snapshot) error {
		if err := before(minute); err != nil {
			return err
		}
		if len(rest) > 0 && rest[0] == minute {
			s = core.Merge(append(live[minute], s)...)
			rest = rest[1:]
		}
		return f(minute, s)
	})
	if err != nil {
		return err
	}
	return before(maxMoment)
}

// readProfiles is read, and returns the profiles of what is not in the store, by minute.
func (l *Live) readProfiles(within store.Range) (live map[int64][]*core.Snapshot, committed store.Reader, release func()) {
	from, until := within.Minutes()
	live = map[int64][]*core.Snapshot{}
	add := func(x store.Profile) {
		if x.Minute >= from && x.Minute < until {
			live[x.Minute] = append(live[x.Minute], x.Snapshot)
		}
	}
	committed, release = l.read(func(segments []*segment) {
		for _, g := range segments {
			for _, x := range g.profiles {
				add(x)
			}
			for _, m := range slices.Concat(g.tally.minutes, g.withheld.minutes) {
				if m.minute >= from && m.minute < until {
					add(profileOf(m.minute, m.agg.Snapshot()))
				}
			}
		}
		for _, x := range l.p.pendingProfiles() {
			add(x)
		}
	})
	return live, committed, release
}

// pendingProfiles returns the profiles of the pending spans, without a tree. The caller holds the cut.
func (p *Pipeline) pendingProfiles() []store.Profile {
	makers := counters{config: p.flat.config}
	count := tally{makers: &makers, limit: maxFreeCounters}
	var a assembler
	a.MaxSkew = p.config.MaxSkew
	var spans []span
	p.pending(func(t *trace) {
		if t.isProfile() {
			return // it may not be whole yet
		}
		spans = spans[:0]
		for s := range t.all {
			spans = append(spans, *s)
		}
		whole := &trace{id: t.id, n: t.n, spans: spans}
		found, _ := a.assemble(whole, p.recent)
		count.record(whole, found, a.Order)
	})
	return count.take()
}
