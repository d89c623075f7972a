package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/server/internal/input"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// sourceHelp says what profiles can be read from.
const sourceHelp = `A source is
  - a file of OTLP traces: JSON, lines of JSON or protobuf, as the Collector's file exporter writes it, also compressed,
  - a saved snapshot, or a file of OTLP metrics that an in-process profiler sent,
  - the address of a running server, http://127.0.0.1:4319, with what to look at behind it: ?since=2h&until=1h&service=cart
  - any other address that answers with one of these files, such as http://host/debug/otelprof/snapshot,
  - or - for the standard input.`

// sources reads profiles. The spans of all files make one profile: a trace may be spread over them.
type sources struct {
	process Process
	// memory is how many bytes spans may take that wait for the rest of their trace.
	memory int64
	token  string

	store     *memory.Store
	pipeline  *pipeline.Pipeline
	snapshots []*core.Snapshot
	rejected  int
	reason    string
}

// foreverIdle is how long a trace in a file waits for the rest of it: until the end of all files.
const foreverIdle = 100 * 365 * 24 * time.Hour

// load reads all sources and merges them.
func (s *sources) load(ctx context.Context, names []string) (*core.Snapshot, error) {
	s.store = memory.New(memory.Options{})
	c := pipeline.DefaultConfig()
	c.Store, c.StatisticsOnly, c.Memory = s.store, true, s.memory
	c.TraceGrace, c.TraceIdle, c.TraceAge, c.SegmentAge, c.MaxFuture = foreverIdle, foreverIdle, foreverIdle, foreverIdle, -1
	var err error
	if s.pipeline, err = pipeline.Open(ctx, c); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := s.read(ctx, name); err != nil {
			// The process ends: what is in the pipeline is of no use.
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.pipeline.Close(context.WithoutCancel(ctx)))
		}
	}
	if err := s.pipeline.Close(ctx); err != nil {
		return nil, err
	}
	if s.rejected > 0 {
		fmt.Fprintf(s.process.Stderr, "otelprof: %d spans are left out: %s\n", s.rejected, s.reason)
	}
	if n := s.pipeline.Counters().Hurried; n > 0 {
		fmt.Fprintf(s.process.Stderr, "otelprof: %d traces may be in parts, for want of memory: see --memory\n", n)
	}
	spans, err := s.store.Profile(ctx, store.Range{})
	if err != nil {
		return nil, err
	}
	return core.Merge(append(s.snapshots, spans)...), nil
}

func (s *sources) read(ctx context.Context, name string) error {
	r, size, err := s.open(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	bar := newProgress(s.process.Stderr, int(size), "bytes")
	defer bar.done()
	return input.Reader{}.Read(ctx, &counted{r: r, progress: bar}, s)
}

// open opens a source; size is 0 if it is not known.
func (s *sources) open(ctx context.Context, name string) (r io.ReadCloser, size int64, err error) {
	switch {
	case name == "-":
		return io.NopCloser(s.process.Stdin), 0, nil
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		return s.fetch(ctx, name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a folder")
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// fetch asks a server of ours for its profile, and any other for what is at the address.
func (s *sources) fetch(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	address, err := url.Parse(name)
	if err != nil {
		return nil, 0, err
	}
	if address.Path == "" || address.Path == "/" {
		query := address.Query()
		query.Set("format", "snapshot")
		if !query.Has("since") {
			query.Set("since", "all")
		}
		address.Path, address.RawQuery = "/api/v1/profile", query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return nil, 0, fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return response.Body, max(response.ContentLength, 0), nil
}

// Traces implements input.Collector.
func (s *sources) Traces(ctx context.Context, request []byte) error {
	for {
		result, err := s.pipeline.Ingest(ctx, request)
		if errors.Is(err, otlp.ErrOverloaded) && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // traces are being filed to make room
			continue
		}
		if s.rejected += result.Rejected; result.Rejected > 0 && s.reason == "" {
			s.reason = result.Message
		}
		return err
	}
}

// Metrics implements input.Collector: metrics are of use if they are the profile of a process.
func (s *sources) Metrics(_ context.Context, request []byte) error {
	var m collectorpb.ExportMetricsServiceRequest
	if err := proto.Unmarshal(request, &m); err != nil {
		return err
	}
	found, err := exporter.ReadMetrics(m.GetResourceMetrics())
	if err != nil {
		return err
	}
	s.snapshots = append(s.snapshots, found...)
	return nil
}

// Snapshot implements input.Collector.
func (s *sources) Snapshot(_ context.Context, snapshot *core.Snapshot) error {
	s.snapshots = append(s.snapshots, snapshot)
	return nil
}

// counted tells how much was read.
type counted struct {
	r        io.Reader
	n        int
	progress *progress
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	c.progress.set(c.n)
	return n, err
}
