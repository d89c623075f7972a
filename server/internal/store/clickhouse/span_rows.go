package clickhouse

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// spanColumns are those of otel_traces, in the order of spanRows.columns.
var spanColumns = []string{
	"Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName",
	"ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration", "StatusCode", "StatusMessage",
	"Events.Timestamp", "Events.Name", "Events.Attributes",
	"Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes",
	"OtelprofSpan", "OtelprofResource", "OtelprofScope", "OtelprofScopeAttributes", "OtelprofOrder", "OtelprofIndex",
	"OtelprofNode", "OtelprofPart", "OtelprofUncounted",
}

// spanRows are rows of otel_traces, by column.
type spanRows struct {
	timestamp                      []time.Time
	trace, span, parent, state     []string
	name, kind, service            []string
	resource, scopeAttributes      []*texts
	scopeName, scopeVersion        []string
	attributes                     []*texts
	duration                       []uint64
	status, message                []string
	eventTime                      [][]time.Time
	eventName                      [][]string
	eventAttributes                [][]*texts
	linkTrace, linkSpan, linkState [][]string
	linkAttributes                 [][]*texts
	rawSpan, rawResource, rawScope []string
	order                          []uint64
	index, part                    []uint32
	node                           []string
	uncounted                      []uint8
	read                           otlp.Span
	more                           otlp.Columns
}

func (r *spanRows) columns() []any {
	return []any{
		r.timestamp, r.trace, r.span, r.parent, r.state, r.name, r.kind, r.service,
		r.resource, r.scopeName, r.scopeVersion, r.attributes, r.duration, r.status, r.message,
		r.eventTime, r.eventName, r.eventAttributes,
		r.linkTrace, r.linkSpan, r.linkState, r.linkAttributes,
		r.rawSpan, r.rawResource, r.rawScope, r.scopeAttributes, r.order, r.index,
		r.node, r.part, r.uncounted,
	}
}

// kinds and statuses are the texts by which the Collector's exporter has them.
var (
	kinds    = [...]string{"Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"}
	statuses = [...]string{"Unset", "Ok", "Error"}
)

// makeSpanRows turns the spans of a parcel into rows.
func makeSpanRows(p *parcel) (*spanRows, error) {
	type origin struct {
		otlp.OriginColumns
		attributes, scopeAttributes *texts
		resource, scope             string
	}
	origins := make([]origin, len(p.segment.Origins))
	for i := range p.segment.Origins {
		o := &p.segment.Origins[i]
		c := otlp.ReadOrigin(o.Resource, o.Scope)
		origins[i] = origin{c, newTexts(c.Attributes), newTexts(c.ScopeAttributes), string(o.Resource), string(o.Scope)}
	}
	r := newSpanRows(int(p.spans))
	for i := range p.segment.Traces {
		t := &p.segment.Traces[i]
		id := t.ID.String()
		for n, s := range t.Spans {
			o := &origins[s.Origin]
			if err := r.add(s.Raw); err != nil {
				return nil, fmt.Errorf("trace %s: %w", t.ID, err)
			}
			r.trace = append(r.trace, id)
			r.service = append(r.service, p.segment.Origins[s.Origin].Service)
			r.resource = append(r.resource, o.attributes)
			r.scopeName, r.scopeVersion = append(r.scopeName, o.ScopeName), append(r.scopeVersion, o.ScopeVersion)
			r.rawResource, r.rawScope = append(r.rawResource, o.resource), append(r.rawScope, o.scope)
			r.scopeAttributes = append(r.scopeAttributes, o.scopeAttributes)
			r.order, r.index = append(r.order, p.order), append(r.index, uint32(n))
			r.node, r.part = append(r.node, p.node), append(r.part, p.part[i])
			r.uncounted = append(r.uncounted, flag(t.Uncounted.Has(n)))
		}
	}
	return r, nil
}

// newSpanRows makes room for n rows.
func newSpanRows(n int) *spanRows {
	text := func() []string { return make([]string, 0, n) }
	return &spanRows{
		timestamp: make([]time.Time, 0, n), trace: text(), span: text(), parent: text(), state: text(),
		name: text(), kind: text(), service: text(), resource: make([]*texts, 0, n), scopeAttributes: make([]*texts, 0, n),
		scopeName: text(), scopeVersion: text(), attributes: make([]*texts, 0, n), duration: make([]uint64, 0, n),
		status: text(), message: text(), eventTime: make([][]time.Time, 0, n), eventName: make([][]string, 0, n),
		eventAttributes: make([][]*texts, 0, n), linkTrace: make([][]string, 0, n), linkSpan: make([][]string, 0, n),
		linkState: make([][]string, 0, n), linkAttributes: make([][]*texts, 0, n), rawSpan: text(), rawResource: text(),
		rawScope: text(), order: make([]uint64, 0, n), index: make([]uint32, 0, n),
		node: text(), part: make([]uint32, 0, n), uncounted: make([]uint8, 0, n),
	}
}

// add appends what a Span message tells.
func (r *spanRows) add(raw []byte) error {
	s := &r.read
	if err := s.Read(raw); err != nil {
		return err
	}
	if err := r.more.Read(raw); err != nil {
		return err
	}
	c := &r.more
	r.timestamp = append(r.timestamp, time.Unix(0, store.Moment(s.Start)))
	r.span, r.parent = append(r.span, s.Span.String()), append(r.parent, parentID(s.Parent))
	r.state, r.name = append(r.state, string(s.TraceState)), append(r.name, string(s.Name))
	r.kind = append(r.kind, kinds[s.Kind])
	r.attributes = append(r.attributes, newTexts(c.Attributes))
	r.duration = append(r.duration, uint64(max(s.Duration(), 0)))
	r.status = append(r.status, statuses[min(c.StatusCode, 2)%3])
	r.message = append(r.message, string(c.StatusMessage))
	r.addEvents(c.Events)
	r.addLinks(c.Links)
	r.rawSpan = append(r.rawSpan, string(raw))
	return nil
}

func (r *spanRows) addEvents(events []otlp.EventColumns) {
	times, names, attributes := make([]time.Time, len(events)), make([]string, len(events)), make([]*texts, len(events))
	for i := range events {
		times[i], names[i] = time.Unix(0, store.Moment(events[i].Time)), string(events[i].Name)
		attributes[i] = newTexts(events[i].Attributes)
	}
	r.eventTime, r.eventName = append(r.eventTime, times), append(r.eventName, names)
	r.eventAttributes = append(r.eventAttributes, attributes)
}

func (r *spanRows) addLinks(links []otlp.LinkColumns) {
	traces, spans := make([]string, len(links)), make([]string, len(links))
	states, attributes := make([]string, len(links)), make([]*texts, len(links))
	for i := range links {
		traces[i], spans[i] = hex.EncodeToString(links[i].Trace), hex.EncodeToString(links[i].Span)
		states[i], attributes[i] = string(links[i].TraceState), newTexts(links[i].Attributes)
	}
	r.linkTrace, r.linkSpan = append(r.linkTrace, traces), append(r.linkSpan, spans)
	r.linkState, r.linkAttributes = append(r.linkState, states), append(r.linkAttributes, attributes)
}

// parentID returns the id of a parent as the table has it: empty for none.
func parentID(id core.SpanID) string {
	if id == (core.SpanID{}) {
		return ""
	}
	return id.String()
}

// texts are attributes as the driver takes a Map: in their order, and with keys that come twice.
type texts struct{ list []otlp.Text }

var _ column.IterableOrderedMap = (*texts)(nil)

func newTexts(list []otlp.Text) *texts { return &texts{append([]otlp.Text(nil), list...)} }

// Put implements column.IterableOrderedMap.
func (t *texts) Put(key, value any) {
	k, _ := key.(string)
	v, _ := value.(string)
	t.list = append(t.list, otlp.Text{Key: k, Value: v})
}

// Iterator implements column.IterableOrderedMap.
func (t *texts) Iterator() column.MapIterator { return &textIterator{list: t.list, at: -1} }

type textIterator struct {
	list []otlp.Text
	at   int
}

func (i *textIterator) Next() bool { i.at++; return i.at < len(i.list) }
func (i *textIterator) Key() any   { return i.list[i.at].Key }
func (i *textIterator) Value() any { return i.list[i.at].Value }
