package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/examples/webshop/internal/load"
	"github.com/stichotrope/stichotrope-go/examples/webshop/internal/shop"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/report"
)

// result is what came of a run: what the driver sent, what the profiler saw of it, and what a backend would have.
type result struct {
	tally   load.Tally
	profile *core.Snapshot
	// exported are the spans that a backend got or should have got, reported the profiles.
	exported exporter.SpanStats
	reported exporter.TracksStats
}

// run runs the shop under load until ctx ends or the configured end, and reports to out.
func run(ctx context.Context, c config, out *os.File) (result, error) {
	if c.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.duration)
		defer cancel()
	}
	if c.out != "" {
		if err := makeFolder(c.out); err != nil {
			return result{}, err
		}
	}
	var spans io.Writer
	if c.printSpans {
		spans = out
	}
	t, err := startTelemetry(c, spans)
	if err != nil {
		return result{}, err
	}
	tally, err := serve(ctx, c, t, out)
	err = errors.Join(err, t.close())
	r := result{tally: tally, profile: t.profiler.Snapshot(), exported: t.raw.Stats()}
	if t.tracks != nil {
		r.reported = t.tracks.Stats()
	}
	if err != nil {
		return r, err
	}
	return r, conclude(c, r, out)
}

// conclude prints the final report, writes the files and compares the counts.
func conclude(c config, r result, out *os.File) error {
	o := report.TableOptions{Top: c.top, LineWidth: screenOf(out).width, Color: report.IsColorTerminal(out)}
	if err := report.Table(out, r.profile, o); err != nil {
		return err
	}
	if err := r.print(c, out); err != nil {
		return err
	}
	if c.out != "" {
		if err := writeFiles(c.out, r.profile, out); err != nil {
			return err
		}
	}
	return r.check()
}

// serve starts the shop and the profile's page, sends the load, and stops all again in reverse order, so that every
// span has ended when it returns.
func serve(ctx context.Context, c config, t *telemetry, out *os.File) (tally load.Tally, err error) {
	dir, err := os.MkdirTemp("", "webshop-")
	if err != nil {
		return tally, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	s, err := shop.Start(ctx, dir)
	if err != nil {
		return tally, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	shopServer, err := listen(c.addr, s.Handler())
	if err != nil {
		return tally, err
	}
	defer func() { err = errors.Join(err, shopServer.close()) }()

	debug := http.NewServeMux()
	debug.Handle("/debug/otelprof/", otelprof.Handler(t.profiler))
	debug.Handle("/metrics", t.metrics)
	debugServer, err := listen(c.debugAddr, debug)
	if err != nil {
		return tally, fmt.Errorf("%w (--debug-addr chooses another address)", err)
	}
	defer func() { err = errors.Join(err, debugServer.close()) }()

	driver := &load.Driver{BaseURL: shopServer.url, Plan: load.NewPlan(c.seed), Rate: c.rate, Requests: c.requests, Clients: c.clients}
	if c.requests > 0 {
		driver.Rate = 0
		return driver.Run(ctx)
	}
	// Each line fits a terminal: an address that is cut cannot be opened.
	banner := fmt.Sprintf("profile: %s/debug/otelprof/ (open it in a browser)\nwebshop: %s/; Ctrl-C ends it", debugServer.url, shopServer.url)
	v := startView(c, t, banner, out)
	defer v.close()
	return driver.Run(ctx)
}

// server is an HTTP server on a loopback address.
type server struct {
	http   *http.Server
	served sync.WaitGroup
	url    string
}

func listen(addr string, h http.Handler) (*server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &server{http: &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}, url: "http://" + l.Addr().String()}
	// Serve's error is always that of close.
	s.served.Go(func() { _ = s.http.Serve(l) })
	return s, nil
}

// close waits a moment for the requests under way and cuts off those that take longer.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.served.Wait()
	return err
}
