package clickhouse

import "time"

var partColumns = []string{"TraceId", "Node", "Order", "Part", "Spans", "Withheld", "Arrived"}

// partRows are rows of otelprof_parts: which parts of traces there are. A part is known by its trace, the node that filed it,
// the order of its parcel and its number there.
type partRows struct {
	trace       [][]byte
	node        []string
	order       []uint64
	part, spans []uint32
	withheld    []uint8
}

// columns returns them with the time at which they are sent: what is sent again has no other, for ClickHouse has it then.
func (r *partRows) columns(now time.Time) []any {
	arrived := make([]time.Time, len(r.trace))
	for i := range arrived {
		arrived[i] = now
	}
	return []any{r.trace, r.node, r.order, r.part, r.spans, r.withheld, arrived}
}

// makePartRows lists the parts of a parcel that count.
func makePartRows(p *parcel) *partRows {
	r := &partRows{}
	for i := range p.segment.Traces {
		t := &p.segment.Traces[i]
		counted := uint32(0)
		for n := range t.Spans {
			if !t.Uncounted.Has(n) {
				counted++
			}
		}
		if counted == 0 {
			continue
		}
		r.trace, r.node = append(r.trace, t.ID[:]), append(r.node, p.node)
		r.order, r.part = append(r.order, p.order), append(r.part, p.part[i])
		r.spans, r.withheld = append(r.spans, counted), append(r.withheld, flag(t.Withheld))
	}
	return r
}
