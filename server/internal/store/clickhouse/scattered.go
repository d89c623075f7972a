package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

const (
	// maxWhole is how many spans a trace may have that is completed. The parts of a larger one stay as they are.
	maxWhole = 200_000
	// missingPatience is how long spans of a part may be missing that were sent before it: a replica may be behind.
	missingPatience = 5 * time.Minute
)

// scattered reads the traces of a plan with their spans. parts are all parts in plans of these traces, in the order of traces;
// those of later plans do not matter. skipped are the parts of which spans are gone for good.
func (s *Store) scattered(ctx context.Context, number uint64, parts []planned) (origins []store.Origin, traces []store.Scattered, skipped int, err error) {
	parts = slices.DeleteFunc(parts, func(p planned) bool { return p.plan > number })
	parts = withoutOversized(parts, number)
	g := gathering{at: make(map[partKey]int, len(parts)), spans: make([][]store.Span, len(parts)), c: collection{origins: map[originKey]int{}}}
	for i := range parts {
		g.at[parts[i].partKey] = i
	}
	for some := range slices.Chunk(traceIDs(parts), idsAtOnce) {
		if err := s.gather(ctx, &g, some, parts); err != nil {
			return nil, nil, 0, err
		}
	}
	for first := 0; first < len(parts); {
		t, whole := store.Scattered{ID: parts[first].trace}, true
		var alone []store.Scattered
		for last := first; first < len(parts) && parts[first].trace == t.ID && (first == last || !parts[first].oversized); first++ {
			p, spans := &parts[first], g.spans[first]
			part := store.Part{Spans: spans, Withheld: p.withheld, Joined: p.plan < number}
			t.Parts = append(t.Parts, part)
			switch {
			case len(spans) == int(p.spans):
				if p.withheld && !part.Joined {
					alone = append(alone, store.Scattered{ID: t.ID, Parts: []store.Part{part}})
				}
			case p.plan == number && s.options.Now().Sub(p.made) < missingPatience:
				return nil, nil, 0, fmt.Errorf("ClickHouse has %d of %d spans of a part of trace %s", len(spans), p.spans, t.ID)
			default:
				whole = false
				skipped++
			}
		}
		if whole {
			traces = append(traces, t)
		} else {
			traces = append(traces, alone...)
		}
	}
	return g.c.found.Origins, traces, skipped, nil
}

// withoutOversized leaves of traces that are too large only the parts of the plan that are withheld: each is to be counted
// alone.
func withoutOversized(parts []planned, number uint64) []planned {
	kept := parts[:0]
	for first := 0; first < len(parts); {
		last, spans := first, 0
		for ; last < len(parts) && parts[last].trace == parts[first].trace; last++ {
			spans += int(parts[last].spans)
		}
		for _, p := range parts[first:last] {
			if p.oversized = spans > maxWhole; !p.oversized || p.withheld && p.plan == number {
				kept = append(kept, p)
			}
		}
		first = last
	}
	return kept
}

func traceIDs(parts []planned) (ids []core.TraceID) {
	for i := range parts {
		if i == 0 || parts[i].trace != parts[i-1].trace {
			ids = append(ids, parts[i].trace)
		}
	}
	return ids
}

// gathering collects the spans of parts.
type gathering struct {
	at    map[partKey]int
	spans [][]store.Span
	c     collection
}

// gather reads the spans that count of some traces, in the order in which they were filed.
func (s *Store) gather(ctx context.Context, g *gathering, ids []core.TraceID, parts []planned) error {
	condition, err := s.whereTraces(ctx, ids)
	if err != nil || condition == "" {
		return err
	}
	orders := map[uint64]bool{}
	var list strings.Builder
	for i := range parts {
		if o := parts[i].order; !orders[o] {
			orders[o] = true
			list.WriteString("," + strconv.FormatUint(o, 10))
		}
	}
	rows, err := s.conn.Query(ctx, "SELECT OtelprofNode, OtelprofOrder, OtelprofPart, "+spanRowColumns+
		" FROM otel_traces WHERE "+condition+" AND OtelprofUncounted = 0 AND OtelprofOrder IN ("+list.String()[1:]+") "+
		"ORDER BY OtelprofOrder, OtelprofNode, OtelprofPart, OtelprofIndex")
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var k partKey
		var r spanRow
		if err := rows.Scan(append([]any{&k.node, &k.order, &k.part}, r.fields()...)...); err != nil {
			return explain(err)
		}
		if k.trace, err = traceID(r.trace); err != nil {
			return err
		}
		at, ok := g.at[k]
		if !ok {
			continue
		}
		message, err := r.message(k.trace)
		if err != nil {
			return err
		}
		g.spans[at] = append(g.spans[at], store.Span{Origin: g.c.origin(r.originKey), Raw: message})
	}
	return explain(rows.Err())
}
