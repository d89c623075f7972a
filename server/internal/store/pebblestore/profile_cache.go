package pebblestore

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/stichotrope/stichotrope-go/core"
)

// profileCache keeps the mergers of hours and of minutes that are over: to read and to merge a day of a thousand sites takes
// many times longer than to add the present hour to it.
type profileCache struct {
	mu     sync.Mutex
	merged map[uint64]*core.Snapshot
	// recent are the keys of merged, the last one used last; buckets is how many of histograms all of merged have.
	recent  []uint64
	buckets int
}

// maxBuckets is how many buckets are kept: 32 MiB at most.
const maxBuckets = 2 << 20

// runKey tells mergers apart: a change of what is merged makes another key.
type runKey struct{ b []byte }

func (k *runKey) add(n uint64) { k.b = binary.LittleEndian.AppendUint64(k.b, n) }

func (k *runKey) sum() uint64 { return xxhash.Sum64(k.b) }

// get returns what is kept under a key, otherwise what make returns, and keeps that.
func (c *profileCache) get(key uint64, make func() (*core.Snapshot, error)) (*core.Snapshot, error) {
	c.mu.Lock()
	s := c.merged[key]
	if s != nil {
		c.use(key)
	}
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := make()
	if err != nil {
		return s, err
	}
	n := buckets(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.merged[key] != nil || n > maxBuckets {
		return s, nil
	}
	for c.buckets += n; c.buckets > maxBuckets; c.recent = c.recent[1:] {
		c.buckets -= buckets(c.merged[c.recent[0]])
		delete(c.merged, c.recent[0])
	}
	c.merged[key] = s
	c.use(key)
	return s, nil
}

func (c *profileCache) use(key uint64) {
	c.recent = append(slices.DeleteFunc(c.recent, func(k uint64) bool { return k == key }), key)
}

// buckets counts those of a snapshot. What is merged lets go of what it was merged from when its buckets are looked at.
func buckets(s *core.Snapshot) (n int) {
	count := func(core.Bucket) bool { n++; return true }
	both := func(s *core.Stats) {
		s.Histogram.All(count)
		if s.SelfHistogram != nil {
			s.SelfHistogram.All(count)
		}
	}
	for i := range s.Blocks {
		both(&s.Blocks[i].Stats)
	}
	for i := range s.Nodes {
		both(&s.Nodes[i].Stats)
	}
	return n
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

func (m *merger) result() *core.Snapshot {
	if len(m.waiting) == 1 {
		return m.waiting[0]
	}
	return core.Merge(m.waiting...)
}
