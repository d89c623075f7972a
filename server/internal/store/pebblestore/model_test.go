package pebblestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// model is a store in memory and one on the disk to which the same happens.
type model struct {
	memory    *memory.Store
	disk      *Store
	generator *storetest.Generator
	rng       *rand.Rand
	spans     []storetest.Span // all that were ever committed
	log       []uint64
}

// TestModel does random things to both stores and asks them the same questions.
func TestModel(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			now := func() time.Time { return storetest.Epoch }
			o := testOptions(vfs.NewMem(), "data")
			o.Now = now
			disk, err := Open(o)
			require.NoError(t, err)
			m := &model{
				memory: memory.New(memory.Options{Now: now}), disk: disk,
				generator: storetest.NewGenerator(seed), rng: rand.New(rand.NewPCG(seed, 5)),
			}
			m.generator.Gap = int64(20 * time.Second)
			for range 40 {
				switch m.rng.IntN(10) {
				case 0, 1, 2:
					m.commit(t)
				case 3, 4:
					m.append(t)
				case 5:
					m.retain(t)
				case 6:
					require.NoError(t, m.disk.Close())
					m.disk, err = Open(o)
					require.NoError(t, err)
				case 7:
					m.snapshots(t)
				default:
					m.ask(t)
				}
			}
			m.ask(t)
			m.compareLogs(t)
			require.NoError(t, m.disk.Close())
			require.NoError(t, m.memory.Close())
		})
	}
}

func (m *model) append(t *testing.T) {
	entry := m.generator.Segment(1).Requests(1 << 20)[0]
	a, err := m.memory.Append(background, entry)
	require.NoError(t, err)
	b, err := m.disk.Append(background, entry)
	require.NoError(t, err)
	require.Equal(t, a, b)
	m.log = append(m.log, a)
}

func (m *model) commit(t *testing.T) {
	made := m.generator.Segment(1 + m.rng.IntN(30))
	if m.rng.IntN(3) == 0 && len(m.spans) > 0 {
		// Late: spans of a trace that was there before.
		made.Traces[0].ID = m.spans[m.rng.IntN(len(m.spans))].Trace
		for i := range made.Traces[0].Spans {
			made.Spans[i].Trace = made.Traces[0].ID
		}
	}
	made.AddProfiles()
	for len(m.log) > 0 && m.rng.IntN(2) == 0 {
		n := m.rng.IntN(len(m.log))
		c := store.Consumed{Seq: m.log[n], All: m.rng.IntN(2) == 0}
		if c.All {
			m.log = slices.Delete(m.log, n, n+1)
		} else {
			c.Spans.Set(m.rng.IntN(20))
		}
		made.Consumed = append(made.Consumed, c)
	}
	require.NoError(t, m.memory.Commit(background, &made.Segment))
	require.NoError(t, m.disk.Commit(background, &made.Segment))
	m.spans = append(m.spans, made.Spans...)
}

func (m *model) retain(t *testing.T) {
	size, err := m.memory.Size(background)
	require.NoError(t, err)
	if size.Spans == 0 {
		return
	}
	before := size.Oldest.Add(time.Duration(m.rng.Int64N(int64(size.Newest.Sub(size.Oldest))/3 + 1)))
	require.NoError(t, m.memory.Retain(background, before, 0))
	require.NoError(t, m.disk.Retain(background, before, 0))
}

func (m *model) snapshots(t *testing.T) {
	p, err := m.memory.Profile(background, m.within())
	require.NoError(t, err)
	name := fmt.Sprint(m.rng.IntN(4))
	if m.rng.IntN(2) == 0 {
		require.NoError(t, m.memory.SaveSnapshot(background, name, p))
		require.NoError(t, m.disk.SaveSnapshot(background, name, p))
	} else if a, b := m.memory.DeleteSnapshot(background, name), m.disk.DeleteSnapshot(background, name); a != nil {
		require.ErrorIs(t, b, store.ErrNotFound)
	} else {
		require.NoError(t, b)
	}
	a, err := m.memory.ListSnapshots(background)
	require.NoError(t, err)
	b, err := m.disk.ListSnapshots(background)
	require.NoError(t, err)
	require.Len(t, b, len(a))
	for i := range a {
		require.True(t, a[i].Saved.Equal(b[i].Saved))
		require.Equal(t, []any{a[i].Name, a[i].Spans}, []any{b[i].Name, b[i].Spans})
	}
}

// within is a random range, open at the ends sometimes.
func (m *model) within() (r store.Range) {
	at := func() time.Time {
		if m.rng.IntN(3) == 0 || len(m.spans) == 0 {
			return time.Time{}
		}
		return time.Unix(0, m.spans[m.rng.IntN(len(m.spans))].Start)
	}
	return store.Range{From: at(), To: at()}
}

// ask asks both stores everything.
func (m *model) ask(t *testing.T) {
	a, err := m.memory.Size(background)
	require.NoError(t, err)
	b, err := m.disk.Size(background)
	require.NoError(t, err)
	a.Bytes, b.Bytes = 0, 0
	require.Equal(t, a, b)
	s1, err := m.memory.Services(background)
	require.NoError(t, err)
	s2, err := m.disk.Services(background)
	require.NoError(t, err)
	require.Equal(t, s1, s2)
	for _, service := range append(s1, "") {
		o1, err := m.memory.Operations(background, service)
		require.NoError(t, err)
		o2, err := m.disk.Operations(background, service)
		require.NoError(t, err)
		require.Equal(t, o1, o2)
	}
	within, step := m.within(), 1+m.rng.IntN(70)
	require.Equal(t, profilesOf(t, m.memory, within, step), profilesOf(t, m.disk, within, step))
	if len(m.spans) == 0 {
		return
	}
	for range 10 {
		q := storetest.RandomQuery(m.rng, m.spans)
		t1, err := m.memory.Search(background, q)
		require.NoError(t, err)
		t2, err := m.disk.Search(background, q)
		require.NoError(t, err)
		require.True(t, slices.Equal(t1, t2), "%+v: %v, %v", q, t1, t2)
	}
	var ids []core.TraceID
	for range 5 {
		ids = append(ids, m.spans[m.rng.IntN(len(m.spans))].Trace)
	}
	require.Equal(t, tracesOf(t, m.memory, ids), tracesOf(t, m.disk, ids))
}

// tracesOf returns the traces as text, each span with its origin.
func tracesOf(t *testing.T, s store.Reader, ids []core.TraceID) (out []string) {
	found, err := s.Traces(background, ids, store.Range{})
	require.NoError(t, err)
	for _, tr := range found.Traces {
		for _, sp := range tr.Spans {
			o := found.Origins[sp.Origin]
			out = append(out, fmt.Sprintf("%s %x %x %x %s", tr.ID, sp.Raw, o.Resource, o.Scope, o.Service))
		}
	}
	return out
}

func profilesOf(t *testing.T, s store.Reader, within store.Range, step int) (out [][]byte) {
	add := func(p *core.Snapshot) {
		b, err := p.MarshalBinary()
		require.NoError(t, err)
		out = append(out, b)
	}
	require.NoError(t, s.Profiles(background, within, step, func(minute int64, p *core.Snapshot) error {
		out = append(out, fmt.Append(nil, minute))
		add(p)
		return nil
	}))
	p, err := s.Profile(background, within)
	require.NoError(t, err)
	add(p)
	return out
}

func (m *model) compareLogs(t *testing.T) {
	read := func(s store.Store) (out []string) {
		require.NoError(t, s.Replay(background, func(seq uint64, entry []byte, consumed store.Bits) error {
			out = append(out, fmt.Sprintf("%d %x %x", seq, entry, consumed))
			return nil
		}))
		return out
	}
	require.Equal(t, read(m.memory), read(m.disk))
}
