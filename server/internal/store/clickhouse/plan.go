package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// partKey names a part of a trace.
type partKey struct {
	trace core.TraceID
	node  string
	order uint64
	part  uint32
}

// planned is a part of a trace in a plan.
type planned struct {
	partKey
	plan     uint64
	made     time.Time
	spans    uint32
	withheld bool
	// oversized: its trace has too many spans to be completed.
	oversized bool
}

const (
	// maxPlanTraces is how many traces are completed at once.
	maxPlanTraces = 2000
	// overlap is for how long a part may be on its way to the table after the time that it says it arrived.
	overlap = 5 * time.Minute
	// keepParts is how long parts are remembered: the TTL of otelprof_parts. A part that comes later is completed alone.
	keepParts = 48 * time.Hour
)

func token(what string, number uint64) string { return what + "-" + strconv.FormatUint(number, 10) }

// fresh returns parts that arrived in a period and are to be completed: those of traces that have several, and those that are
// withheld. all tells whether these are all of them.
func (s *Store) fresh(ctx context.Context, from, until int64) (parts []planned, all bool, err error) {
	arrived := fmt.Sprintf("Arrived >= fromUnixTimestamp64Milli(toInt64(%d)) AND Arrived < fromUnixTimestamp64Milli(toInt64(%d))",
		milliseconds(from).UnixMilli(), milliseconds(until).UnixMilli())
	known := fmt.Sprintf("SELECT TraceId, Node, Order, Part FROM otelprof_plans WHERE Made >= fromUnixTimestamp64Milli(toInt64(%d))",
		milliseconds(from).Add(-time.Hour).UnixMilli())
	since := fmt.Sprintf("Arrived >= fromUnixTimestamp64Milli(toInt64(%d))", milliseconds(until).Add(-keepParts).UnixMilli())
	news := "SELECT TraceId FROM otelprof_parts WHERE " + arrived + " AND (TraceId, Node, Order, Part) NOT IN (" + known + ")"
	traces := "SELECT TraceId FROM otelprof_parts WHERE " + since + " AND TraceId IN (" + news + ") GROUP BY TraceId " +
		"HAVING count() > 1 OR max(Withheld) = 1 ORDER BY min(Arrived), TraceId LIMIT " + strconv.Itoa(maxPlanTraces)
	candidates, err := s.readParts(ctx, "SELECT toUInt64(0), Arrived, TraceId, Node, Order, Part, Spans, Withheld FROM otelprof_parts WHERE "+since+
		" AND TraceId IN ("+traces+") ORDER BY TraceId, Order, Node, Part"+s.onOneShard())
	if err != nil || len(candidates) == 0 {
		return nil, true, err
	}
	before, err := s.plansOf(ctx, candidates)
	if err != nil {
		return nil, false, err
	}
	return choose(candidates, before, s.options.CompleteSpans)
}

// choose returns the parts that are in no plan, of traces with so many spans, or of one. The candidates are in the order of
// traces.
func choose(candidates, before []planned, most int) (parts []planned, all bool, err error) {
	done := make(map[partKey]bool, len(before))
	for i := range before {
		done[before[i].partKey] = true
	}
	traces, spans := 0, 0
	for i := 0; i < len(candidates); {
		from := len(parts)
		first := i
		for ; i < len(candidates) && candidates[i].trace == candidates[first].trace; i++ {
			if c := &candidates[i]; !done[c.partKey] {
				parts = append(parts, *c)
				spans += int(c.spans)
			}
		}
		if from > 0 && spans > most {
			return parts[:from], false, nil
		}
		traces++
	}
	if len(parts) == 0 && traces >= maxPlanTraces {
		return nil, false, errors.New("parts of traces are planned that were planned before: the clocks of nodes are apart by an hour")
	}
	return parts, traces < maxPlanTraces, nil
}

// readParts reads what a query returns of plans or of parts.
func (s *Store) readParts(ctx context.Context, query string) (parts []planned, err error) {
	rows, err := s.conn.Query(ctx, query)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var p planned
		var trace string
		var withheld uint8
		if err := rows.Scan(&p.plan, &p.made, &trace, &p.node, &p.order, &p.part, &p.spans, &withheld); err != nil {
			return nil, explain(err)
		}
		copy(p.trace[:], trace)
		p.withheld = withheld == 1
		parts = append(parts, p)
	}
	return parts, explain(rows.Err())
}

const planFields = "SELECT Plan, Made, TraceId, Node, Order, Part, Spans, Withheld FROM otelprof_plans WHERE "

// plan returns the parts in a plan; none if there is no such plan.
func (s *Store) plan(ctx context.Context, number uint64) ([]planned, error) {
	return s.readParts(ctx, planFields+fmt.Sprintf("Plan = %d ORDER BY TraceId, Order, Node, Part", number))
}

// plansOf returns all parts in plans of the traces of some parts.
func (s *Store) plansOf(ctx context.Context, of []planned) ([]planned, error) {
	var list strings.Builder
	for i := range of {
		if i > 0 && of[i].trace == of[i-1].trace {
			continue
		}
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString("unhex('" + of[i].trace.String() + "')")
	}
	return s.readParts(ctx, planFields+"TraceId IN ("+list.String()+") ORDER BY TraceId, Order, Node, Part")
}

var errPlanGone = errors.New("it was written, and is not there")

var planColumns = []string{"Plan", "Made", "TraceId", "Node", "Order", "Part", "Spans", "Withheld"}

// writePlan writes a plan, unless there is one with that number, and returns the one that is there.
func (s *Store) writePlan(ctx context.Context, number uint64, parts []planned) ([]planned, error) {
	now := s.options.Now()
	n := len(parts)
	numbers, made, traces := make([]uint64, n), make([]time.Time, n), make([][]byte, n)
	nodes, orders, part := make([]string, n), make([]uint64, n), make([]uint32, n)
	spans, withheld := make([]uint32, n), make([]uint8, n)
	for i := range parts {
		p := &parts[i]
		numbers[i], made[i], traces[i] = number, now, p.trace[:]
		nodes[i], orders[i], part[i], spans[i], withheld[i] = p.node, p.order, p.part, p.spans, flag(p.withheld)
	}
	rows := []any{numbers, made, traces, nodes, orders, part, spans, withheld}
	if _, err := s.insert(ctx, token("plan", number), "otelprof_plans", planColumns, rows, n); err != nil {
		return nil, explain(err)
	}
	there, err := s.plan(ctx, number)
	if err == nil && len(there) == 0 {
		err = fmt.Errorf("plan %d: %w", number, errPlanGone)
	}
	return there, err
}
