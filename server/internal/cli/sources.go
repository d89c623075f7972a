package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/input"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/profiles"
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
	split  []string

	store     *memory.Store
	pipeline  *pipeline.Pipeline
	snapshots []*core.Snapshot
	profiles  *profiles.Sink
	// rejected is what was left out, by what it was.
	rejected map[string]otlp.Result
}

// foreverIdle is how long a trace in a file waits for the rest of it: until the end of all files.
const foreverIdle = 100 * 365 * 24 * time.Hour

// load reads all sources and merges them.
func (s *sources) load(ctx context.Context, names []string) (*core.Snapshot, error) {
	s.store = memory.New(memory.Options{})
	c := pipeline.DefaultConfig()
	c.Store, c.StatisticsOnly, c.Memory, c.Split = s.store, true, s.memory, s.split
	c.TraceGrace, c.TraceIdle, c.TraceAge, c.SegmentAge, c.MaxFuture = foreverIdle, foreverIdle, foreverIdle, foreverIdle, -1
	var err error
	if s.pipeline, err = pipeline.Open(ctx, c); err != nil {
		return nil, err
	}
	s.profiles, s.rejected = profiles.New(s, profiles.Options{Whole: true, MaxStates: 1 << 16, MaxSize: 1 << 20}), map[string]otlp.Result{}
	for _, name := range names {
		if err := s.read(ctx, name); err != nil {
			// The process ends: what is in the pipeline is of no use.
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.pipeline.Close(context.WithoutCancel(ctx)))
		}
	}
	if err := s.pipeline.Close(ctx); err != nil {
		return nil, err
	}
	s.warn()
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

// Ingest takes spans as soon as there is room for them. It implements profiles.Spans.
func (s *sources) Ingest(ctx context.Context, request []byte) (otlp.Result, error) {
	for {
		result, err := s.pipeline.Ingest(ctx, request)
		if !errors.Is(err, otlp.ErrOverloaded) || ctx.Err() != nil {
			return result, err
		}
		time.Sleep(time.Millisecond) // traces are being filed to make room
	}
}

// Traces implements input.Collector.
func (s *sources) Traces(ctx context.Context, request []byte) error {
	result, err := s.Ingest(ctx, request)
	s.leftOut("spans", result)
	return err
}

// Metrics implements input.Collector: metrics are of use if they are the profile of a process.
func (s *sources) Metrics(ctx context.Context, request []byte) error {
	result, err := s.profiles.Ingest(ctx, request)
	s.leftOut("data points", result)
	return err
}

// leftOut remembers what was rejected, and the first reason.
func (s *sources) leftOut(what string, result otlp.Result) {
	if result.Rejected == 0 {
		return
	}
	r := s.rejected[what]
	if r.Rejected == 0 {
		r.Message = result.Message
	}
	r.Rejected += result.Rejected
	s.rejected[what] = r
}

// warn says what the report lacks.
func (s *sources) warn() {
	for _, what := range slices.Sorted(maps.Keys(s.rejected)) {
		fmt.Fprintf(s.process.Stderr, "otelprof: %d %s are left out: %s\n", s.rejected[what].Rejected, what, s.rejected[what].Message)
	}
	c := s.pipeline.Counters()
	if c.Hurried > 0 {
		fmt.Fprintf(s.process.Stderr, "otelprof: %d traces may be in parts, for want of memory: see --memory\n", c.Hurried)
	}
	if c.ProfilesFailed > 0 {
		fmt.Fprintf(s.process.Stderr, "otelprof: %d profiles that came as spans are left out: they cannot be read\n", c.ProfilesFailed)
	}
	if n := s.profiles.Counters.Begun.Load(); n > 0 {
		fmt.Fprintf(s.process.Stderr, "otelprof: %d profiles that came as cumulative metrics are left out: there are too many processes\n", n)
	}
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
