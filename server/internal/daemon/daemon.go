package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/stichotrope/stichotrope-go/server/internal/api"
	"github.com/stichotrope/stichotrope-go/server/internal/buffer"
	"github.com/stichotrope/stichotrope-go/server/internal/forward"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger"
	"github.com/stichotrope/stichotrope-go/server/internal/listen"
	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/profiles"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

// Daemon is a running server.
type Daemon struct {
	config    Config
	store     store.Store
	pipeline  *pipeline.Pipeline
	forwarder *forward.Forwarder
	debug     *debug
	profiles  *profiles.Sink
	receiver  *receiver.Receiver
	api       *api.Handler
	jaeger    *jaeger.Handler
	guard     *listen.Guard
	metrics   *metrics.Set
	answers   answers
	calls     grpcCalls
	addresses []Address
	listeners []*listen.Listener

	// closers stop the parts; they are called from the last to the first.
	closers []func(context.Context) error
	serving sync.WaitGroup
	failed  chan error
}

// Address is something that listens.
type Address struct {
	// What says in a few words what is served, Name is the key by which programs know it.
	What, Name string
	net.Addr
	// Secure is whether it speaks TLS.
	Secure bool
}

// URL returns the address as a client needs it.
func (a Address) URL() string {
	scheme := "http"
	if a.Secure {
		scheme = "https"
	}
	return scheme + "://" + a.Addr.String()
}

// Start starts everything, or nothing and says why.
func Start(ctx context.Context, c Config) (*Daemon, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	d := &Daemon{config: c, failed: make(chan error, 8)}
	for _, step := range []func(context.Context) error{d.openStore, d.openDebug, d.openForward, d.openPipeline, d.open} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, d.Stop())
		}
	}
	return d, nil
}

// Addresses returns what listens where.
func (d *Daemon) Addresses() []Address { return d.addresses }

// Failed gets an error when a part fails that cannot go on.
func (d *Daemon) Failed() <-chan error { return d.failed }

// Stop stops everything, in the opposite order of the start: nothing new is taken, what is under way ends, everything is
// put into the store. It gives up after Config.StopTime and says what it left.
func (d *Daemon) Stop() error {
	stopTime := d.config.StopTime
	if stopTime <= 0 {
		stopTime = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i](ctx))
	}
	d.closers = nil
	d.serving.Wait()
	return errors.Join(errs...)
}

func (d *Daemon) onStop(f func(context.Context) error) { d.closers = append(d.closers, f) }

func (d *Daemon) openStore(ctx context.Context) error {
	switch d.config.Store {
	case StorePebble:
		s, err := pebblestore.Open(pebblestore.Options{Dir: d.config.Data, Logger: d.config.Log})
		if err != nil {
			return err
		}
		if n := len(s.Parcels()); n > 0 {
			d.config.Log.Warn("the folder has the queue of a node with --store clickhouse: what waits there is neither shown nor sent now", "segments", n)
		}
		d.store = s
	case StoreClickHouse:
		o := d.config.ClickHouse
		o.Dir, o.Logger = d.config.Data, d.config.Log
		if !d.config.LeaveScattered {
			complete, err := pipeline.NewCompleter(d.config.Pipeline)
			if err != nil {
				return err
			}
			o.Complete = complete
		}
		s, err := clickhouse.Open(ctx, o)
		if err != nil {
			return err
		}
		d.store = s
	default:
		d.store = memory.New(memory.Options{})
	}
	d.onStop(func(context.Context) error { return d.store.Close() })
	return nil
}

func (d *Daemon) openPipeline(ctx context.Context) error {
	c := d.config.Pipeline
	if d.forwarder == nil { // which keeps requests longer
		c.Recycle = buffer.Put
	}
	c.Store, c.Log, c.StatisticsOnly = d.store, d.config.Log, d.config.Store == StoreNone
	c.Withhold = d.config.Store == StoreClickHouse && !d.config.LeaveScattered
	var err error
	if d.pipeline, err = pipeline.Open(ctx, c); err != nil {
		return err
	}
	d.onStop(d.pipeline.Close)
	return nil
}

// open starts listening. Whoever connects is answered from the first moment on.
func (d *Daemon) open(ctx context.Context) error {
	c := &d.config
	certificates, err := c.Listen.Certificates(c.Log)
	if err != nil {
		return err
	}
	d.guard = c.Listen.Guard()
	d.profiles = profiles.New(d.pipeline, profiles.Options{MaxStates: c.ProfileStates, MaxSize: c.ProfileSize, Log: c.Log})
	d.receiver = receiver.New(d.debug.sink(d.sink()), d.debug.sink(d.profiles), c.Receiver, c.Log)
	listeners := map[string]*listen.Listener{}
	endpoints := map[string]string{}
	for _, l := range []struct{ what, name, address string }{
		{"OTLP over gRPC", "otlp_grpc", c.OTLPGRPC},
		{"OTLP over HTTP", "otlp_http", c.OTLPHTTP},
		{"page, API, Jaeger's API, metrics", "http", c.HTTP},
		{"Jaeger's query API over gRPC", "jaeger_grpc", c.JaegerGRPC},
		{"remote storage for Jaeger over gRPC", "jaeger_storage", c.JaegerStorage},
	} {
		if l.address == "" {
			continue
		}
		opened, err := c.Listen.Open(ctx, l.address, certificates)
		if err != nil {
			return err
		}
		d.onStop(func(context.Context) error { return ignoreClosed(opened.Close()) })
		listeners[l.name] = opened
		a := Address{l.what, l.name, opened.Addr(), certificates != nil}
		d.addresses, d.listeners = append(d.addresses, a), append(d.listeners, opened)
		endpoints[l.name] = a.URL()
	}
	if err := d.checkLoop(); err != nil {
		return err
	}
	if c.JaegerUI != "" {
		endpoints["jaeger_ui"] = strings.TrimRight(c.JaegerUI, "/")
	}
	engine := query.New(d.pipeline.Live(), query.Options{MaxSkew: c.Pipeline.MaxSkew})
	d.api = api.New(api.Options{
		Engine: engine, Version: c.Version, Endpoints: endpoints, Timeout: c.QueryTime, MaxBytes: c.AnswerBytes, Logger: c.Log,
	})
	d.jaeger = jaeger.New(jaeger.Options{Engine: engine, Timeout: c.QueryTime, MaxBytes: c.AnswerBytes, Logger: c.Log})
	if err := d.measure(engine); err != nil {
		return err
	}
	d.serve(listeners)
	// First of all: a server waits for its streams to end.
	d.onStop(func(context.Context) error { d.metrics.Stopping(); d.api.Close(); return nil })
	return nil
}

// serve answers on what listens.
func (d *Daemon) serve(listeners map[string]*listen.Listener) {
	for name, l := range listeners {
		switch name {
		case "otlp_grpc", "otlp_http":
			d.serveHTTP(d.receiver.Server(d.guard.Handler(d.receiver)), l)
		case "http":
			d.serveHTTP(d.receiver.Server(d.guard.Handler(d.page())), l)
		case "jaeger_grpc":
			d.serveGRPC(d.jaeger.QueryServer(d.guarded()...), l)
		case "jaeger_storage":
			d.serveGRPC(d.jaeger.StorageServer(d.guarded()...), l)
		}
	}
}

// measure makes the metrics.
func (d *Daemon) measure(engine *query.Engine) error {
	d.metrics = metrics.New(d.config.Version, d.config.Log)
	d.metrics.Check("store", d.ready)
	live := &spanWindow{engine: engine, retention: d.config.Pipeline.Retention, since: engine.Now().Truncate(time.Minute)}
	return errors.Join(d.report(), d.metrics.Spans(d.config.SpanMetrics, live.profile))
}

func (d *Daemon) guarded() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(d.calls.unary, d.guard.Unary), grpc.ChainStreamInterceptor(d.calls.stream, d.guard.Stream),
	}
	if d.debug != nil {
		options = append(options, grpc.ChainUnaryInterceptor(d.debug.unary), grpc.ChainStreamInterceptor(d.debug.stream))
	}
	return options
}

func (d *Daemon) serveHTTP(s *http.Server, l net.Listener) {
	d.serving.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.fail(fmt.Errorf("serving on %s: %w", l.Addr(), err))
		}
	})
	d.onStop(func(ctx context.Context) error {
		if err := s.Shutdown(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
		return nil
	})
}

func (d *Daemon) serveGRPC(s *grpc.Server, l net.Listener) {
	d.serving.Go(func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			d.fail(fmt.Errorf("serving on %s: %w", l.Addr(), err))
		}
	})
	d.onStop(func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, s.Stop)
		defer stop()
		s.GracefulStop()
		return nil
	})
}

func (d *Daemon) fail(err error) {
	select {
	case d.failed <- err:
	default: // others failed before
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
