package pipeline

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// NewCompleter returns a store.Completer that counts as a pipeline with this configuration does. Spans of parts find their
// parents in their own part first, so that parts which are whole stay as they were. One goroutine at a time may use it.
func NewCompleter(c Config) (store.Completer, error) {
	if c.Store == nil {
		c.Store = noStore{}
	}
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("completing traces: %w", err)
	}
	x := &completer{sites: newSites(c.MaxSites), config: c}
	x.trees.config.Limits = c.limits()
	if _, err := core.New(x.trees.config); err != nil {
		return nil, fmt.Errorf("completing traces: %w", err)
	}
	x.flat.config = x.trees.config
	x.flat.config.NoTree = true
	x.assembler.MaxSkew = c.MaxSkew
	return x.complete, nil
}

// noStore lets a configuration be checked that has no store.
type noStore struct{ store.Store }

type completer struct {
	config      Config
	sites       *sites
	trees, flat counters
	assembler   assembly.Assembler
	walker      otlp.Walker
	minute      int64 // the present
	origins     []readOrigin

	// What follows is of the trace at hand: part says of each span which part it is of.
	spans []span
	part  []int32
	found []assembly.Span
	ranks []int32
	// first are the first spans of a part with an id, and of all parts.
	first map[spanKey]int32
}

type spanKey struct {
	part int32
	id   core.SpanID
}

const anyPart = -1

// readOrigin is what sites need of an origin.
type readOrigin struct {
	otlp.Origin
	hash uint64
}

// profilePair are the profiles under way, with call tree and without.
type profilePair struct{ tree, flat tally }

func (p *profilePair) take() []store.Profile { return append(p.tree.take(), p.flat.take()...) }

// newPair returns empty profiles. They are many if the traces are of many minutes.
func (x *completer) newPair() *profilePair {
	return &profilePair{tally{makers: &x.trees, limit: maxFreeCounters}, tally{makers: &x.flat, limit: maxFreeCounters}}
}

func (x *completer) complete(origins []store.Origin, traces []store.Scattered) (before, after []store.Profile, err error) {
	x.minute = unixMinute(time.Now())
	if err := x.readOrigins(origins); err != nil {
		return nil, nil, err
	}
	was, is := x.newPair(), x.newPair()
	for i := range traces {
		if err := x.countBoth(&traces[i], was, is); err != nil {
			return nil, nil, fmt.Errorf("trace %s: %w", traces[i].ID, err)
		}
	}
	return was.take(), is.take(), nil
}

// readOrigins reads the names of the scopes. Services are called as they were when the spans were filed.
func (x *completer) readOrigins(origins []store.Origin) error {
	x.origins = x.origins[:0]
	empty := [][]byte{nil}
	for i := range origins {
		o := readOrigin{}
		request := otlp.AppendTraces(nil, []otlp.Part{{Resource: origins[i].Resource, Scope: origins[i].Scope, Spans: empty}})
		err := x.walker.Walk(request, func(s *otlp.Span) error {
			o.ScopeName = bytes.Clone(s.Origin.ScopeName)
			return nil
		})
		if err != nil {
			return err
		}
		o.Service = []byte(origins[i].Service)
		o.hash = x.sites.hashOrigin(&o.Origin)
		x.origins = append(x.origins, o)
	}
	return nil
}

// countBoth counts a trace as it was counted so far, and as a whole.
func (x *completer) countBoth(t *store.Scattered, was, is *profilePair) error {
	x.clear()
	for i := range t.Parts {
		if t.Parts[i].Joined {
			if err := x.add(&t.Parts[i], i); err != nil {
				return err
			}
		}
	}
	x.count(t.ID, &was.tree)
	for i := range t.Parts {
		if p := &t.Parts[i]; !p.Joined {
			x.clear()
			if err := x.add(p, i); err != nil {
				return err
			}
			if p.Withheld {
				x.count(t.ID, &was.flat)
			} else {
				x.count(t.ID, &was.tree)
			}
		}
	}
	x.clear()
	for i := range t.Parts {
		if err := x.add(&t.Parts[i], i); err != nil {
			return err
		}
	}
	x.count(t.ID, &is.tree)
	return nil
}

func (x *completer) clear() { x.spans, x.part = x.spans[:0], x.part[:0] }

// add reads the spans of a part.
func (x *completer) add(p *store.Part, part int) error {
	var read otlp.Span
	for _, s := range p.Spans {
		if err := read.Read(s.Raw); err != nil {
			return err
		}
		o := &x.origins[s.Origin]
		read.Origin = &o.Origin
		n := span{site: x.sites.of(&read, o.hash, x.minute)}
		n.take(&read)
		n.size = uint32(len(s.Raw))
		x.spans, x.part = append(x.spans, n), append(x.part, int32(part))
	}
	return nil
}

// count assembles the trace at hand and counts it.
func (x *completer) count(id core.TraceID, to *tally) {
	if len(x.spans) == 0 {
		return
	}
	x.link()
	x.assembler.Assemble(x.found)
	to.record(&trace{id: id, n: len(x.spans), spans: x.spans}, x.found, x.assembler.Order)
}

// link prepares the spans for the assembler. They get ids of their own, in the order of those that they have, so that spans with
// one id in several parts stay apart: each counts where it was counted.
func (x *completer) link() {
	n := len(x.spans)
	x.found = slices.Grow(x.found[:0], n)[:n]
	if x.first == nil || len(x.first) > keepAssembled {
		x.first = make(map[spanKey]int32, 2*n)
	}
	clear(x.first)
	first := x.first
	x.ranks = x.ranks[:0]
	for i := range x.spans {
		x.ranks = append(x.ranks, int32(i))
		for _, k := range [...]spanKey{{x.part[i], x.spans[i].id}, {anyPart, x.spans[i].id}} {
			if _, known := first[k]; !known {
				first[k] = int32(i)
			}
		}
	}
	slices.SortFunc(x.ranks, func(a, b int32) int {
		s, o := &x.spans[a], &x.spans[b]
		return cmp.Or(bytes.Compare(s.id[:], o.id[:]), cmp.Compare(s.sum(), o.sum()), cmp.Compare(a, b))
	})
	for rank, i := range x.ranks {
		s, f := &x.spans[i], &x.found[i]
		*f = assembly.Span{Start: s.start, Duration: s.duration, Sum: s.sum(), Clock: s.site.clock, Async: s.site.Kind == core.KindConsumer}
		binary.BigEndian.PutUint64(f.ID[:], uint64(rank)+1)
	}
	for i := range x.spans {
		parent := x.spans[i].parent
		if parent == (core.SpanID{}) {
			continue
		}
		at, ok := first[spanKey{x.part[i], parent}]
		if !ok {
			at, ok = first[spanKey{anyPart, parent}]
		}
		if ok {
			x.found[i].Parent = x.found[at].ID
		} else {
			binary.BigEndian.PutUint64(x.found[i].Parent[:], uint64(n)+1) // nobody's
		}
	}
}
