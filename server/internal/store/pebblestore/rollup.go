package pebblestore

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// rollAfter is how many new parts the latest hour gets before they are rolled up; those of other hours are at once.
const rollAfter = 8

// keepRolling rolls up until it is stopped.
func (p *profileStore) keepRolling() {
	defer close(p.stopped)
	for {
		select {
		case <-p.done:
			return
		case <-p.wake:
		}
		for _, hour := range p.due() {
			select {
			case <-p.done:
				return
			default:
			}
			if err := p.roll(hour); err != nil {
				p.s.report("the profile of an hour cannot be made", err, "hour", hour)
			}
		}
	}
}

// due returns the hours to be rolled up.
func (p *profileStore) due() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	hours := slices.Sorted(maps.Keys(p.hours))
	var due []int64
	for i, hour := range hours {
		fresh := p.hours[hour].fresh()
		if fresh >= rollAfter || fresh > 0 && i < len(hours)-1 {
			due = append(due, hour)
		}
	}
	return due
}

// roll makes the profile of an hour, and merges the parts of each of its minutes.
func (p *profileStore) roll(hour int64) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	covered, parts := p.state(hour)
	if len(parts) == 0 {
		return nil
	}

	var whole merger
	if covered > 0 {
		own, err := p.own(hour)
		if err != nil {
			// The minutes have it all.
			p.s.report("the profile of an hour cannot be read and is made anew", err, "hour", hour)
			covered = 0
		} else {
			whole.add(own)
		}
	}
	batch := p.s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	next := hourState{covers: covered}
	for _, part := range parts {
		next.covers = max(next.covers, part.number)
	}
	for rest := parts; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].minute == rest[0].minute {
			n++
		}
		kept, err := p.rollMinute(batch, rest[:n], covered, next.covers, &whole)
		if err != nil {
			return err
		}
		next.parts = append(next.parts, kept...)
		rest = rest[n:]
	}
	value, err := p.encode(binary.BigEndian.AppendUint64(nil, next.covers), whole.result())
	if err != nil {
		return err
	}
	next.size = int64(len(value))
	if err := batch.Set(key(keyHour, ordered(hour)), value, nil); err != nil {
		return err
	}
	// Nothing is lost if this is: it is made anew then.
	p.switching.Lock()
	defer p.switching.Unlock()
	if err := p.s.write(func() error { return batch.Commit(pebble.NoSync) }); err != nil {
		return err
	}
	p.replace(hour, parts, &next)
	return nil
}

// rollMinute adds the new ones of the parts of a minute to whole. If there are several, it makes one of them, with the number
// that the hour's profile will cover. It returns what is left.
func (p *profileStore) rollMinute(batch *pebble.Batch, parts []profilePart, covered, covers uint64, whole *merger) ([]profilePart, error) {
	if len(parts) == 1 && parts[0].number <= covered {
		return parts, nil
	}
	var minute, fresh merger
	for _, part := range parts {
		snapshot, err := p.part(part)
		if err != nil {
			return nil, err
		}
		minute.add(snapshot)
		if part.number > covered {
			fresh.add(snapshot)
		}
	}
	whole.add(fresh.result())
	if len(parts) == 1 {
		return parts, nil
	}
	for _, part := range parts {
		if err := errors.Join(
			batch.Delete(key(keyMinute, ordered(part.minute), part.number), nil),
			batch.Delete(key(keyPart, ordered(part.minute), part.number), nil)); err != nil {
			return nil, err
		}
	}
	one, err := p.put(batch, parts[0].minute, covers, minute.result())
	return []profilePart{one}, err
}

// state returns what number an hour's profile covers, and its parts.
func (p *profileStore) state(hour int64) (covered uint64, parts []profilePart) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hours[hour]
	if h == nil {
		return 0, nil
	}
	return h.covers, slices.Clone(h.parts)
}

// replace makes the new state of an hour that of the memory, with the parts that came meanwhile.
func (p *profileStore) replace(hour int64, old []profilePart, next *hourState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.hours[hour].parts {
		if _, known := slices.BinarySearchFunc(old, part, compareParts); !known {
			next.parts = append(next.parts, part)
		}
	}
	slices.SortFunc(next.parts, compareParts)
	p.bytes += next.bytes() - p.hours[hour].bytes()
	p.hours[hour] = next
}

// steps returns the multiples of step that have minutes in the range, ascending.
func (p *profileStore) steps(from, until int64, step int) []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := map[int64]struct{}{}
	for _, h := range p.hours {
		for _, part := range h.parts {
			if part.minute >= from && part.minute < until {
				found[store.FloorStep(part.minute, step)] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// before reports whether there is anything of before a minute.
func (p *profileStore) before(minute int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hours {
		if len(h.parts) == 0 || h.parts[0].minute < minute {
			return true
		}
	}
	return false
}

// cut forgets the minutes before the given one: in the batch, and when forget is called, which must follow its commit.
func (p *profileStore) cut(batch *pebble.Batch, minute int64) (forget func(), err error) {
	hour := hourOf(minute)
	first := ordered(math.MinInt64)
	err = errors.Join(
		batch.DeleteRange(key(keyMinute, first), key(keyMinute, ordered(minute)), nil),
		batch.DeleteRange(key(keyPart, first), key(keyPart, ordered(minute)), nil),
		batch.DeleteRange(key(keyHour, first), key(keyHour, ordered(hour)), nil))
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hours[hour]; h != nil && h.covers > 0 && len(h.parts) > 0 && h.parts[0].minute < minute {
		// It is made anew from what is left.
		err = errors.Join(err, batch.Delete(key(keyHour, ordered(hour)), nil))
	}
	return func() { p.forget(minute) }, err
}

func (p *profileStore) forget(minute int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for hour, h := range p.hours {
		if hour > hourOf(minute) || len(h.parts) > 0 && h.parts[0].minute >= minute {
			continue
		}
		next := &hourState{}
		for _, part := range h.parts {
			if part.minute >= minute {
				next.parts = append(next.parts, part)
			}
		}
		p.bytes += next.bytes() - h.bytes()
		p.hours[hour] = next
		if len(next.parts) == 0 {
			delete(p.hours, hour)
		}
	}
}
