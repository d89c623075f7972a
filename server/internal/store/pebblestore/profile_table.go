package pebblestore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

const minutesPerHour = 60

// profilePart is a part of the profile of a minute. The number tells it from the other parts; those of later commits are higher.
type profilePart struct {
	minute int64
	number uint64
	size   int64
}

// hourState is what is kept in memory of the profile of an hour.
type hourState struct {
	parts []profilePart // in the order of minutes, then of numbers
	// covers is the highest number of the parts that are in the hour's own profile; 0 if it has none.
	covers uint64
	size   int64 // of its own profile
}

// bytes is what the hour takes.
func (h *hourState) bytes() int64 {
	n := h.size
	for _, p := range h.parts {
		n += p.size
	}
	return n
}

// fresh is how many parts are not in the hour's own profile.
func (h *hourState) fresh() int {
	n := 0
	for _, p := range h.parts {
		if p.number > h.covers {
			n++
		}
	}
	return n
}

func compareParts(a, b profilePart) int {
	switch {
	case a.minute != b.minute:
		return int(min(max(a.minute-b.minute, -1), 1))
	case a.number < b.number:
		return -1
	case a.number > b.number:
		return 1
	}
	return 0
}

// hourOf returns the Unix hour of a minute.
func hourOf(minute int64) int64 { return store.FloorStep(minute, minutesPerHour) / minutesPerHour }

// load finds the parts and the hours.
func (p *profileStore) load() error {
	s := p.s
	err := s.each(s.db, keyMinute, func(k []byte, value pebble.LazyValue) error {
		minute, ok1 := keyNumber(k, 0)
		number, ok2 := keyNumber(k, 1)
		v, _, err := value.Value(nil)
		if ok1 && ok2 && err == nil {
			r := indexReader{rest: v}
			p.insert(profilePart{unordered(minute), number, int64(r.number(1 << 62))})
			p.number = max(p.number, number)
		}
		return err
	})
	if pebble.IsCorruptionError(err) {
		s.report("the list of profiles cannot be read and is made anew", err)
		err = p.find()
	}
	if err != nil {
		return fmt.Errorf("the profiles: %w", err)
	}
	err = s.each(s.db, keyHour, func(k []byte, value pebble.LazyValue) error {
		hour, ok := keyNumber(k, 0)
		if !ok {
			return nil
		}
		covers, _, err := p.readHour(value)
		if err != nil {
			s.report("the profile of an hour cannot be read and is made anew", err, "hour", unordered(hour))
			return nil
		}
		h := p.hour(unordered(hour))
		h.covers, h.size = covers, int64(value.Len())
		p.bytes += h.size
		p.number = max(p.number, covers)
		return nil
	})
	if pebble.IsCorruptionError(err) {
		s.report("profiles of hours cannot be read and are made anew", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the profiles: %w", err)
	}
	return nil
}

// find adds the parts that the list has not.
func (p *profileStore) find() error {
	known := map[profilePart]bool{}
	for _, h := range p.hours {
		for _, part := range h.parts {
			known[part] = true
		}
	}
	err := p.s.each(p.s.db, keyPart, func(k []byte, value pebble.LazyValue) error {
		minute, ok1 := keyNumber(k, 0)
		number, ok2 := keyNumber(k, 1)
		part := profilePart{unordered(minute), number, int64(value.Len())}
		if ok1 && ok2 && !known[part] {
			p.insert(part)
			p.number = max(p.number, number)
		}
		return nil
	})
	if pebble.IsCorruptionError(err) {
		p.s.report("not all profiles can be found", err)
		return nil
	}
	return err
}

// hour returns the state of an hour, which it makes if need be.
func (p *profileStore) hour(hour int64) *hourState {
	h := p.hours[hour]
	if h == nil {
		h = &hourState{}
		p.hours[hour] = h
	}
	return h
}

func (p *profileStore) insert(part profilePart) {
	h := p.hour(hourOf(part.minute))
	i, _ := slices.BinarySearchFunc(h.parts, part, compareParts)
	h.parts = slices.Insert(h.parts, i, part)
	p.bytes += part.size
}

// plan is what must be read for a range: own profiles of hours, and parts, both in order.
type plan struct {
	hours []plannedHour
	parts []profilePart
	// latest is the latest hour that there is, which still changes.
	latest int64
}

// plannedHour is an hour's own profile, in the state in which it covers so much.
type plannedHour struct {
	hour   int64
	covers uint64
}

// plan returns what makes up the minutes from until before until. It takes hours that lie in it whole, if they have a profile.
func (p *profileStore) plan(from, until int64) plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out plan
	for _, hour := range slices.Sorted(maps.Keys(p.hours)) {
		out.latest = hour
		h := p.hours[hour]
		first := hour * minutesPerHour
		if first+minutesPerHour <= from || first >= until {
			continue
		}
		covered := uint64(0)
		if h.covers > 0 && first >= from && first+minutesPerHour <= until {
			out.hours = append(out.hours, plannedHour{hour, h.covers})
			covered = h.covers
		}
		for _, part := range h.parts {
			if part.number > covered && part.minute >= from && part.minute < until {
				out.parts = append(out.parts, part)
			}
		}
	}
	return out
}

// run is a part of a plan, and under which key its profile is kept; 0 if it is not worth it.
type run struct {
	plan
	key uint64
}

// minRun is how many profiles at least are kept merged.
const minRun = 4

// runs cuts a plan into what will be the same for some time, which is everything of before the latest hour: the parts before
// the hours that are whole, these, and the parts after them; and into the rest.
func (p plan) runs() []run {
	hours := len(p.hours)
	if hours > 0 && p.hours[hours-1].hour == p.latest {
		hours--
	}
	count := func(parts []profilePart, before int64) int {
		i, _ := slices.BinarySearchFunc(parts, before, func(part profilePart, hour int64) int { return cmp.Compare(hourOf(part.minute), hour) })
		return i
	}
	first := p.latest
	if len(p.hours) > 0 {
		first = min(first, p.hours[0].hour)
	}
	head := count(p.parts, first)
	tail := count(p.parts, p.latest)
	runs := []run{{plan: plan{hours: p.hours[:hours]}}}
	runs = append(append(runs, tens(p.parts[:head])...), tens(p.parts[head:tail])...)
	for i := range runs {
		runs[i].setKey()
	}
	runs = append(runs, run{plan: plan{hours: p.hours[hours:], parts: p.parts[tail:]}})
	return slices.DeleteFunc(runs, func(r run) bool { return len(r.hours)+len(r.parts) == 0 })
}

// tens cuts parts where ten minutes begin, so that most of it stays the same when the range moves on.
func tens(parts []profilePart) (runs []run) {
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && store.FloorStep(parts[n].minute, 10) == store.FloorStep(parts[0].minute, 10) {
			n++
		}
		runs = append(runs, run{plan: plan{parts: parts[:n]}})
		parts = parts[n:]
	}
	return runs
}

func (r *run) setKey() {
	if len(r.hours)+len(r.parts) < minRun {
		return
	}
	var key runKey
	for _, h := range r.hours {
		key.add(ordered(h.hour))
		key.add(h.covers)
	}
	key.add(0)
	for _, part := range r.parts {
		key.add(ordered(part.minute))
		key.add(part.number)
	}
	r.key = key.sum()
}

// encode returns the stored form of a snapshot.
func (p *profileStore) encode(prefix []byte, snapshot *core.Snapshot) ([]byte, error) {
	b, err := snapshot.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return withChecksum(p.encoder.EncodeAll(b, prefix)), nil
}

// decodeProfile reads what encode wrote, without the prefix.
func (s *Store) decodeProfile(b []byte) (*core.Snapshot, error) {
	b, err := s.decoder.DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: profile: %w", store.ErrDamaged, err)
	}
	snapshot := &core.Snapshot{}
	if err := snapshot.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("%w: profile: %w", store.ErrDamaged, err)
	}
	return snapshot, nil
}
