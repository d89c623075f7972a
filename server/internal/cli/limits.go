package cli

import (
	"time"

	"github.com/spf13/pflag"
)

// addLimits adds what bounds clients and their data. docs/server.md has a table of them all.
func (f *serveFlags) addLimits(flags *pflag.FlagSet) {
	l, r, p := &f.Pipeline.Limits, &f.Receiver, &f.Pipeline
	flags.StringVar(&f.requestBytes, "request-bytes", "64MiB", "how large a request may be, unpacked")
	flags.StringVar(&f.inFlight, "in-flight-bytes", "256MiB", "how large all requests under way may be together")
	flags.StringVar(&f.headerBytes, "header-bytes", "64KiB", "how large the header of a request may be")
	flags.IntVar(&r.Streams, "streams", r.Streams, "how many requests one connection of HTTP/2 may have at once")
	flags.IntVar(&f.Listen.Connections, "connections", 4096, "how many connections each address may have at once")
	flags.DurationVar(&r.HeaderTime, "header-time", r.HeaderTime, "how long a client may take for the header of a request")
	flags.DurationVar(&r.RequestTime, "request-time", r.RequestTime, "how long a client may take for a request")
	flags.DurationVar(&r.IdleTime, "idle-time", r.IdleTime, "how long nothing may happen on a connection")
	flags.IntVar(&l.Depth, "attribute-depth", l.Depth, "how deep the value of an attribute may be nested")
	flags.IntVar(&l.Attributes, "max-attributes", l.Attributes, "how many attributes a span, an event, a link, a resource or a scope may have")
	flags.IntVar(&l.Events, "max-events", l.Events, "how many events a span may have")
	flags.IntVar(&l.Links, "max-links", l.Links, "how many links a span may have")
	flags.StringVar(&f.nameBytes, "name-bytes", "1KiB", "how long names and keys may be")
	flags.StringVar(&f.valueBytes, "value-bytes", "64KiB", "how long the value of an attribute and other text may be")
	flags.DurationVar(&p.MaxFuture, "max-future", p.MaxFuture, "how far ahead of this machine's clock a span may end")
	flags.IntVar(&p.TraceSpans, "trace-spans", p.TraceSpans, "how many spans a trace may have that is put together; a larger one is in parts")
	flags.IntVar(&p.MaxSites, "max-sites", p.MaxSites, "how many call sites there may be; the others share one")
	flags.IntVar(&p.MaxNodes, "max-nodes", p.MaxNodes, "how many nodes the call tree of a minute may have")
	flags.IntVar(&p.MaxDepth, "max-depth", p.MaxDepth, "how deep the call tree may be")
	flags.IntVar(&f.ProfileStates, "profile-states", 1024, "how many processes are remembered that send their profiles as cumulative metrics")
	flags.IntVar(&f.ProfileSize, "profile-size", 1<<18, "how many blocks and nodes all these profiles may have together")
	flags.DurationVar(&f.QueryTime, "query-time", 30*time.Second, "how long a question may take")
	flags.StringVar(&f.answerBytes, "answer-bytes", "64MiB", "how large an answer over HTTP may be")
}
