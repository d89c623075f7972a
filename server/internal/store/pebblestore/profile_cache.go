package pebblestore

import "github.com/stichotrope/stichotrope-go/core"

type profileCache struct{}

func newProfileCache() profileCache { return profileCache{} }

func (c *profileCache) forget(hour int64) {}

func (c *profileCache) hour(p *profileStore, hour int64) (*core.Snapshot, error) { return p.own(hour) }

func (c *profileCache) part(p *profileStore, part profilePart) (*core.Snapshot, error) {
	return p.part(part)
}

// merger merges snapshots a few at a time, so that not all of them are in memory.
type merger struct {
	waiting []*core.Snapshot
}

func (m *merger) add(s *core.Snapshot) {
	m.waiting = append(m.waiting, s)
	if len(m.waiting) == 32 {
		m.waiting = append(m.waiting[:0], core.Merge(m.waiting...))
	}
}

func (m *merger) result() *core.Snapshot { return core.Merge(m.waiting...) }
