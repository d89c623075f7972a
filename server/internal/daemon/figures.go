package daemon

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/listen"
	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/profiles"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

// report makes the figures of all parts known. The listeners are open by now.
func (d *Daemon) report() error {
	reports := map[string]func() []metrics.Value{
		"receiver": func() []metrics.Value { return receiverFigures(&d.receiver.Counters) },
		"pipeline": func() []metrics.Value { return pipelineFigures(d.pipeline.Counters()) },
		"store":    d.storeFigures,
		"profiles": func() []metrics.Value { return profileFigures(&d.profiles.Counters) },
		"guard":    func() []metrics.Value { return guardFigures(d.guard) },
		"listener": func() (all []metrics.Value) {
			for i, l := range d.listeners {
				all = append(all, listenerFigures(d.addresses[i].Name, &l.Counters)...)
			}
			return all
		},
		"http": func() []metrics.Value { return d.answers.figures() },
		"grpc": func() []metrics.Value { return d.calls.figures() },
	}
	if d.forwarder != nil {
		reports["forward"] = func() []metrics.Value { return forwardFigures(&d.forwarder.Counters) }
	}
	for part, values := range reports {
		if err := d.metrics.Report(part, values); err != nil {
			return err
		}
	}
	return nil
}

func counter[N int64 | uint64](name, help string, n N, labels ...string) metrics.Value {
	return metrics.Value{Name: name, Help: help, Counter: true, Value: float64(n), Labels: labels}
}

func gauge[N int | int64](name, help string, n N, labels ...string) metrics.Value {
	return metrics.Value{Name: name, Help: help, Value: float64(n), Labels: labels}
}

func receiverFigures(c *receiver.Counters) []metrics.Value {
	requests := func(outcome string, n int64) metrics.Value {
		return counter("requests", "OTLP requests that were answered, by how.", n, "outcome", outcome)
	}
	return []metrics.Value{
		requests("accepted", c.Accepted.Load()), requests("partial", c.Partial.Load()), requests("malformed", c.Malformed.Load()),
		requests("unsupported", c.Unsupported.Load()), requests("too_large", c.TooLarge.Load()), requests("overloaded", c.Overloaded.Load()),
		requests("timed_out", c.TimedOut.Load()), requests("cut_off", c.CutOff.Load()), requests("failed", c.Failed.Load()),
		counter("bytes", "Bytes of requests that were handed on, unpacked.", c.Bytes.Load()),
		counter("rejected_items", "Spans and data points that were not taken.", c.Rejected.Load()),
		counter("large_headers", "Requests, also of the page and the APIs, whose header was too large.", c.LargeHeaders.Load()),
		gauge("in_flight_bytes", "Bytes held by requests now.", c.InFlightBytes.Load()),
	}
}

func pipelineFigures(c pipeline.Counters) []metrics.Value {
	refused := func(reason string, n uint64) metrics.Value {
		return counter("refused_requests", "Requests that were refused as a whole, by why.", n, "reason", reason)
	}
	odd := func(what string, n uint64) metrics.Value {
		return counter("odd_spans", "Filed spans with something out of the ordinary.", n, "what", what)
	}
	early := func(reason string, n uint64) metrics.Value {
		return counter("early_traces", "Parts of traces that were filed before their time, by why.", n, "reason", reason)
	}
	all := []metrics.Value{
		counter("requests", "Requests that were acknowledged.", c.Requests),
		counter("received_spans", "Spans of the requests that were acknowledged.", c.Received),
		counter("rejected_spans", "Spans that were refused out of requests that were acknowledged.", c.Rejected),
		refused("malformed", c.Malformed), refused("overloaded", c.Overloaded), refused("failed", c.Failed),
		counter("replayed_spans", "Spans that were read from the log at the start.", c.Replayed),
		counter("filed_spans", "Spans that were filed in their traces.", c.Filed),
		counter("filed_traces", "Traces, or parts of them, that were filed.", c.Traces),
		odd("duplicate", c.Duplicates), odd("late", c.Late), odd("orphan", c.Orphans), odd("cycle", c.Cycles), odd("moved", c.Moved), odd("backward", c.Backward),
		early("oversized", c.Oversized), early("memory", c.Hurried),
		counter("profiles", "Profiles that came as spans.", c.Profiles),
		counter("unreadable_profiles", "Profiles that came as spans and could not be read.", c.ProfilesFailed),
		counter("overflow_spans", "Spans of call sites that there was no room for.", c.OverflowSites),
		counter("commits", "Segments that were committed to the store.", c.Commits),
		counter("commit_errors", "Attempts to commit that failed; they are repeated.", c.CommitErrors),
		counter("retain_errors", "Attempts to remove what is too old that failed.", c.RetainErrors),
		gauge("used_bytes", "Memory of spans on their way to the store.", c.Used),
		gauge("pending_bytes", "Memory of traces that are not filed yet.", c.Pending),
		gauge("sites", "Call sites that are known.", c.Sites),
	}
	for _, what := range slices.Sorted(maps.Keys(c.Faults)) {
		all = append(all, counter("faults", "Parts of acknowledged requests that were refused, cut, left out or mended, by why.", c.Faults[what], "what", what))
	}
	return all
}

func profileFigures(c *profiles.Counters) []metrics.Value {
	return []metrics.Value{
		counter("taken", "Profiles that came as metrics and were handed on.", c.Taken.Load()),
		counter("repeated", "Cumulative profiles that were not newer than what was known.", c.Repeated.Load()),
		counter("begun", "Cumulative profiles of processes that were there before: only what comes after them is counted.", c.Begun.Load()),
		counter("forgotten", "Processes with cumulative profiles that were forgotten, because there was no room.", c.Forgotten.Load()),
		counter("rejected_points", "Data points that are of no profile, or of one that cannot be read.", c.Rejected.Load()),
	}
}

// sizeTime is how long the store may take to tell its size.
const sizeTime = 5 * time.Second

func (d *Daemon) storeFigures() []metrics.Value {
	ctx, cancel := context.WithTimeout(context.Background(), sizeTime)
	defer cancel()
	size, err := d.store.Size(ctx)
	failed := int64(0)
	if err != nil {
		failed = 1
	}
	all := append(sizeFigures(size), gauge("unreadable", "1 if the store could not tell its size.", failed))
	switch s := d.store.(type) {
	case *pebblestore.Store:
		all = append(all, pebbleFigures(s.Counters())...)
	case *clickhouse.Store:
		c := s.Counters()
		all = append(append(all, pebbleFigures(c.Local)...), queueFigures(c)...)
		all = append(all, completionFigures(s.Completion())...)
	}
	return all
}

// queueFigures tell what waits for ClickHouse.
func queueFigures(c clickhouse.Counters) []metrics.Value {
	oldest := int64(0)
	if !c.Oldest.IsZero() {
		oldest = c.Oldest.Unix()
	}
	return []metrics.Value{
		gauge("queue_segments", "Segments that ClickHouse does not have yet.", c.Waiting),
		gauge("queue_spans", "Their spans.", c.WaitingSpans),
		gauge("queue_oldest_timestamp_seconds", "Since when the first of them waits; 0 if there is none.", oldest),
		gauge("queue_bytes", "What they and the log take on the disk.", c.QueueBytes),
		gauge("queue_limit_bytes", "What they may take; then requests are refused.", c.QueueLimit),
		counter("sent_segments", "Segments that ClickHouse took.", c.Sent),
		counter("sent_spans", "Spans that ClickHouse took.", c.SentSpans),
		counter("send_errors", "Attempts to send a segment to ClickHouse that failed; they are repeated.", c.Failed),
		counter("damaged_segments", "Segments that could not be read from the disk and were given up.", c.Damaged),
	}
}

// completionFigures tell how the completion of traces goes.
func completionFigures(c clickhouse.Completion) []metrics.Value {
	holds := int64(0)
	if c.Holds {
		holds = 1
	}
	return []metrics.Value{
		gauge("completes", "1 on the node that completes traces now.", holds),
		counter("completed_traces", "Traces that this node completed.", c.Traces),
		counter("completed_parts", "Parts of traces that this node completed.", c.Parts),
		counter("skipped_parts", "Parts of traces that could not be completed, because spans of them are gone.", c.Skipped),
		counter("completion_errors", "Attempts to complete traces that failed; they are repeated.", c.Failed),
	}
}

func sizeFigures(s store.Size) []metrics.Value {
	oldest, newest, completed := int64(0), int64(0), int64(0)
	if !s.Completed.IsZero() {
		completed = s.Completed.Unix()
	}
	if !s.Oldest.IsZero() {
		oldest, newest = s.Oldest.Unix(), s.Newest.Unix()
	}
	return []metrics.Value{
		gauge("spans", "Spans in the store.", s.Spans), gauge("traces", "Traces, or parts of them, in the store.", s.Traces),
		gauge("bytes", "Size of the store, on the disk or in memory.", s.Bytes),
		gauge("log_entries", "Requests that are in no segment yet.", s.LogEntries),
		gauge("oldest_timestamp_seconds", "When the earliest span started; 0 if there is none.", oldest),
		gauge("newest_timestamp_seconds", "When the latest span ended; 0 if there is none.", newest),
		gauge("completed_timestamp_seconds", "What reached any node before is counted in whole traces. 0 if that is not known.", completed),
	}
}

func pebbleFigures(c pebblestore.Counters) []metrics.Value {
	return []metrics.Value{
		counter("damaged_reads", "Reads of something that is damaged.", c.Damaged),
		counter("refused_writes", "Requests and segments that there was no room for.", c.Refused),
		counter("cut_bytes", "Bytes of a damaged log that were cut off at the start.", c.CutBytes),
		counter("disk_waits", "Writes that waited for room on the disk.", c.WaitedForDisk),
	}
}

func guardFigures(g *listen.Guard) []metrics.Value {
	const help = "Requests that were not let in, by why."
	return []metrics.Value{
		counter("refused_requests", help, g.Denied.Load(), "reason", "token"),
		counter("refused_requests", help, g.Misaddressed.Load(), "reason", "host"),
	}
}

func listenerFigures(name string, c *listen.Counters) []metrics.Value {
	return []metrics.Value{
		gauge("connections", "Connections that are open now.", c.Open.Load(), "listener", name),
		counter("accepted_connections", "Connections that were accepted.", c.Accepted.Load(), "listener", name),
		counter("refused_connections", "Connections that were closed at once, because there were too many.", c.Refused.Load(), "listener", name),
		counter("timed_out_connections", "Connections over HTTP/1 on which too little came in time: no whole header, no whole request, or nothing.", c.TimedOut.Load(), "listener", name),
	}
}

// ready says what keeps the server from taking spans.
func (d *Daemon) ready(ctx context.Context) error {
	s, ok := d.store.(interface{ Ready(context.Context) error })
	if !ok {
		return nil
	}
	return s.Ready(ctx)
}
