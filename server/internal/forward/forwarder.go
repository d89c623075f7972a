package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where requests go. Zero values but that of URL mean the defaults.
type Config struct {
	// URL is the other end: http and https are OTLP/HTTP, with /v1/traces if there is no path; grpc and grpcs are OTLP/gRPC.
	URL string
	// Access is what the other end asks for.
	Access Access
	// QueueBytes bounds what waits or is under way: 64 MiB by default.
	QueueBytes int64
	// Timeout bounds one attempt, 10 s by default; RetryTime is how long a request is tried again, 5 min by default.
	Timeout, RetryTime time.Duration
	// Workers is how many requests are under way at once: 4 by default.
	Workers int
	Log     *slog.Logger
}

// The waits between attempts grow from the first to the longest.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// perRequest is what a request in the queue takes beside its bytes.
const perRequest = 128

// Counters tell what a Forwarder has done, in requests, but for those that say otherwise. They only grow, except QueuedBytes.
type Counters struct {
	Forwarded, Retries atomic.Int64
	// Requests that are lost: there was no room, the other end refused them for good, it could not be reached for too long,
	// or the server stopped before.
	DroppedFull, DroppedRefused, DroppedExpired, DroppedStopped atomic.Int64
	// RejectedSpans are those that the other end refused out of requests that it took.
	RejectedSpans atomic.Int64
	QueuedBytes   atomic.Int64
}

// peer is the other end. The error says with retryable whether to try again.
type peer interface {
	send(ctx context.Context, request []byte) (rejected int64, err error)
	close() error
}

// retryable is an error after which to try again, after some time if the other end asks for it.
type retryable struct {
	err   error
	after time.Duration
}

func (r *retryable) Error() string { return r.err.Error() }
func (r *retryable) Unwrap() error { return r.err }

// Forwarder forwards requests. Its methods may be called concurrently.
type Forwarder struct {
	Counters Counters

	config Config
	peer   peer
	// to is the URL without a password: for the log.
	to string

	mu       sync.Mutex
	changed  *sync.Cond
	queue    [][]byte
	stopping bool
	workers  sync.WaitGroup
	// life ends when Stop gives up.
	life context.Context
	end  context.CancelFunc
}

// New starts a Forwarder. The other end need not be there yet.
func New(c Config) (*Forwarder, error) {
	p, err := newPeer(c.URL, &c.Access)
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	return start(c, p), nil
}

func start(c Config, p peer) *Forwarder {
	if c.QueueBytes <= 0 {
		c.QueueBytes = 64 << 20
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.RetryTime <= 0 {
		c.RetryTime = 5 * time.Minute
	}
	if c.Workers <= 0 {
		c.Workers = 4
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f := &Forwarder{config: c, peer: p, to: Redacted(c.URL)}
	f.changed = sync.NewCond(&f.mu)
	f.life, f.end = context.WithCancel(context.Background())
	for range c.Workers {
		f.workers.Go(f.work)
	}
	return f
}

// Offer takes a request to be forwarded, and never waits. The bytes must not be changed afterwards.
func (f *Forwarder) Offer(request []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := int64(len(request)) + perRequest
	switch {
	case f.stopping:
		f.Counters.DroppedStopped.Add(1)
	case f.Counters.QueuedBytes.Load()+size > f.config.QueueBytes:
		f.Counters.DroppedFull.Add(1)
	default:
		f.Counters.QueuedBytes.Add(size)
		f.queue = append(f.queue, request)
		f.changed.Signal()
	}
}

// Stop takes nothing more and forwards what waits. When the context ends before that is done, the rest is dropped and the
// error says how much it was.
func (f *Forwarder) Stop(ctx context.Context) error {
	f.mu.Lock()
	f.stopping = true
	f.changed.Broadcast()
	f.mu.Unlock()
	before := f.Counters.DroppedStopped.Load()
	stop := context.AfterFunc(ctx, f.end)
	f.workers.Wait()
	stop()
	f.end()
	err := f.peer.close()
	if n := f.Counters.DroppedStopped.Load() - before; n > 0 {
		err = errors.Join(err, fmt.Errorf("forward: %d requests were not forwarded to %s: %w", n, f.to, context.Cause(ctx)))
	}
	return err
}

func (f *Forwarder) work() {
	for {
		request, ok := f.next()
		if !ok {
			return
		}
		f.forward(request)
		f.Counters.QueuedBytes.Add(-int64(len(request)) - perRequest)
	}
}

// next waits for a request. There is none any more when false is returned.
func (f *Forwarder) next() ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 {
		if f.stopping {
			return nil, false
		}
		f.changed.Wait()
	}
	request := f.queue[0]
	f.queue[0] = nil
	f.queue = f.queue[1:]
	return request, true
}

// forward sends a request, as often as it takes.
func (f *Forwarder) forward(request []byte) {
	began := time.Now()
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		rejected, err := f.attempt(request)
		if err == nil {
			f.Counters.Forwarded.Add(1)
			f.Counters.RejectedSpans.Add(rejected)
			return
		}
		pause, dropped := f.pause(err, wait, began)
		if dropped == nil && !sleep(f.life, pause) {
			dropped = &f.Counters.DroppedStopped
		}
		if dropped != nil {
			dropped.Add(1)
			f.config.Log.Warn("A request could not be forwarded and is dropped.", "error", err, "to", f.to, "bytes", len(request))
			return
		}
		f.Counters.Retries.Add(1)
	}
}

// pause says how long to wait after an error, or which counter the request is dropped to.
func (f *Forwarder) pause(err error, wait time.Duration, began time.Time) (time.Duration, *atomic.Int64) {
	var again *retryable
	if f.life.Err() != nil {
		return 0, &f.Counters.DroppedStopped
	}
	if !errors.As(err, &again) {
		return 0, &f.Counters.DroppedRefused
	}
	wait = max(again.after, wait/2+rand.N(wait/2)) // not all at the same moment
	if time.Since(began)+wait > f.config.RetryTime {
		return 0, &f.Counters.DroppedExpired
	}
	return wait, nil
}

func (f *Forwarder) attempt(request []byte) (int64, error) {
	ctx, cancel := context.WithTimeout(f.life, f.config.Timeout)
	defer cancel()
	return f.peer.send(ctx, request)
}

// sleep reports whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
