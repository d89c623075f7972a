package exporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

// Tracks reports a profile as spans: one synthetic trace for each interval, whose root stands for the window, with the
// tracks below it and the call tree below these. Span lengths are total times, so that the timeline and the flame
// graph of a tracing backend show the profile; all statistics are attributes, so that [ReadSpans] gets it back
// exactly.
//
//	tracks, err := exporter.NewTracks(profiler, otlptracegrpc.NewClient())
//	if err != nil { ... }
//	if err := tracks.Start(ctx); err != nil { ... }
//	defer tracks.Shutdown(ctx)
//
// A report that fails loses nothing: the next one covers its window too, and says how many were not delivered. Whether
// a report arrived of which the answer was lost cannot be known; then two windows overlap, as their times show. When the
// profile is reset or cleared, a new window starts there and says so; what was not yet reported is gone with the
// numbers.
//
// All methods may be called concurrently. There is one goroutine from Start to Shutdown, and the profile is read
// and sent on it alone.
type Tracks struct {
	src      Source
	client   otlptrace.Client
	config   tracksConfig
	resource *resourcepb.Resource

	mu    sync.Mutex
	state tracksState
	// life ends when Shutdown gives up waiting: then a running upload is cancelled.
	life     context.Context
	end      context.CancelFunc
	flushes  chan flushRequest
	stopping chan context.Context
	done     chan struct{}
	stopErr  error // what Shutdown found, set before done is closed

	windows windows // used by the reporting goroutine alone

	reports, failures, idle, restarts atomic.Uint64
}

type tracksState uint8

const (
	tracksIdle tracksState = iota
	tracksStarting
	tracksRunning
	tracksStopped
)

type flushRequest struct {
	ctx    context.Context
	result chan error
}

var (
	errTracksStarted = errors.New("tracks: Start was called before")
	errTracksIdle    = errors.New("tracks: Start was not called")
)

// TracksStats count what a [Tracks] did.
type TracksStats struct {
	// Reports is how many were delivered, Failures how many were not.
	Reports, Failures uint64
	// Idle is how many windows were not reported because nothing happened in them.
	Idle uint64
	// Restarts is how many delivered reports started anew because the profile was reset or cleared.
	Restarts uint64
}

// NewTracks returns a Tracks that reports the profile of src to client, which it starts and stops. The error names every
// bad option. Nothing is sent before Start.
func NewTracks(src Source, client otlptrace.Client, opts ...TracksOption) (*Tracks, error) {
	c, err := newTracksConfig(opts)
	if src == nil {
		err = errors.Join(err, errors.New("no source"))
	}
	if client == nil {
		err = errors.Join(err, errors.New("no client"))
	}
	if err != nil {
		return nil, fmt.Errorf("tracks: %w", err)
	}
	t := &Tracks{
		src: src, client: client, config: c,
		resource: profileResource(c.resource, c.service, c.suffix),
		windows:  windows{cumulative: c.cumulative},
		flushes:  make(chan flushRequest), stopping: make(chan context.Context, 1), done: make(chan struct{}),
	}
	t.life, t.end = context.WithCancel(context.Background())
	return t, nil
}

// Stats returns how many reports there were.
func (t *Tracks) Stats() TracksStats {
	return TracksStats{
		Reports: t.reports.Load(), Failures: t.failures.Load(), Idle: t.idle.Load(), Restarts: t.restarts.Load(),
	}
}

// Start starts the client and then reporting. The first window begins with the profile. After an error Start may be called
// again.
func (t *Tracks) Start(ctx context.Context) error {
	t.mu.Lock()
	if t.state != tracksIdle {
		t.mu.Unlock()
		return errTracksStarted
	}
	t.state = tracksStarting
	t.mu.Unlock()

	err := recovering(func() error { return t.client.Start(ctx) })

	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.state == tracksStopped:
		if err == nil {
			err = recovering(func() error { return t.client.Stop(ctx) })
		}
		close(t.done)
		return errors.Join(errors.New("tracks: shut down during Start"), err)
	case err != nil:
		t.state = tracksIdle
		return fmt.Errorf("tracks: start client: %w", err)
	}
	t.state = tracksRunning
	go t.run()
	return nil
}

// ForceFlush reports what happened since the last report and returns when it is delivered, has failed, or ctx is done.
// After Shutdown it does nothing.
func (t *Tracks) ForceFlush(ctx context.Context) error {
	t.mu.Lock()
	state := t.state
	t.mu.Unlock()
	if state == tracksIdle || state == tracksStarting {
		return errTracksIdle
	}
	request := flushRequest{ctx, make(chan error, 1)}
	select {
	case t.flushes <- request:
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tracks: flush: %w", context.Cause(ctx))
	}
	select {
	case err := <-request.result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("tracks: flush: %w", context.Cause(ctx))
	}
}

// Shutdown reports what happened since the last report, stops the client and ends the goroutine. When ctx is done before
// that, it cancels the running upload and returns; the goroutine then ends as soon as the client returns. Later calls
// wait for the first in the same way. Without a Start there is nothing to do.
func (t *Tracks) Shutdown(ctx context.Context) error {
	t.mu.Lock()
	switch t.state {
	case tracksIdle:
		close(t.done)
	case tracksRunning:
		t.stopping <- ctx
	}
	t.state = tracksStopped
	t.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
		select {
		case <-t.done:
		default:
			t.end()
			return fmt.Errorf("tracks: shutdown: %w", context.Cause(ctx))
		}
	}
	return t.stopErr
}

// run reports until Shutdown.
func (t *Tracks) run() {
	defer close(t.done)
	defer t.end()
	ticker := time.NewTicker(t.config.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := t.report(t.life); err != nil {
				t.tell(err)
			}
		case f := <-t.flushes:
			f.result <- t.report(f.ctx)
		case ctx := <-t.stopping:
			err := t.report(ctx)
			stop := recovering(func() error { return t.client.Stop(ctx) })
			if stop != nil {
				err = errors.Join(err, fmt.Errorf("tracks: stop client: %w", stop))
			}
			t.stopErr = err
			return
		}
	}
}

// tell reports an error that no caller is there to get.
func (t *Tracks) tell(err error) {
	// If even the handler panics there is nobody left to tell.
	_ = recovering(func() error {
		t.config.handle(err)
		return nil
	})
}

// recovering turns a panic of f into an error: what others wrote must not end the program.
func recovering(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}
