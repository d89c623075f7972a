package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ingest measures what a million spans cost, for each protocol and server.
func (b *bench) ingest(ctx context.Context) error {
	b.say("encoding %d spans", b.spans)
	l, err := newGenerator().next(b.spans)
	if err != nil {
		return err
	}
	b.report.load = l
	subjects := b.subjects()
	for _, protocol := range []string{"gRPC", "HTTP"} {
		for _, s := range subjects {
			name := s.name + " over " + protocol
			if !b.only.MatchString(name) {
				continue
			}
			b.say("%s", name)
			row, err := s.measure(ctx, l, protocol)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			b.report.ingest = append(b.report.ingest, row)
		}
	}
	return nil
}

// stores are those of our server, in the order of the report.
var stores = []string{"none", "memory", "pebble", "clickhouse"}

// subject is a server that is measured.
type subject struct {
	name    string
	measure func(ctx context.Context, l load, protocol string) (ingestRow, error)
}

// subjects returns our server with each store, and each peer right after the store that it is compared with: so both find
// the machine in about the same state.
func (b *bench) subjects() []subject {
	var list []subject
	peers := b.peers()
	for _, store := range stores {
		if store == "clickhouse" && os.Getenv(engineVariable) == "" {
			continue
		}
		list = append(list, subject{store, func(ctx context.Context, l load, protocol string) (ingestRow, error) {
			return b.ingestRow(ctx, l, store, protocol)
		}})
		for _, p := range peers {
			if p.beside[0] == store {
				list = append(list, subject{p.name, func(ctx context.Context, l load, protocol string) (ingestRow, error) {
					return b.peerRow(ctx, l, p, protocol)
				}})
			}
		}
	}
	return list
}

// ingestRow is the cost of one configuration.
type ingestRow struct {
	store    string // of our server
	peer     *peer  // or the other server that this is
	protocol string
	// cpu is the server's, from its start to its end, per million spans, kernel what of it the kernel used.
	cpu     time.Duration
	kernel  time.Duration
	rate    float64 // spans a second, while it was being sent to
	peak    float64 // bytes
	perSpan float64 // bytes on disk
}

// ended takes the CPU time of a process that has ended, and how long sending took.
func (row *ingestRow) ended(p *process, l load, took time.Duration) {
	all, kernel := p.cpu()
	row.cpu = time.Duration(float64(all) * 1e6 / float64(l.spans))
	row.kernel = time.Duration(float64(kernel) * 1e6 / float64(l.spans))
	row.rate = float64(l.spans) / took.Seconds()
}

func (b *bench) ingestRow(ctx context.Context, l load, store, protocol string) (row ingestRow, err error) {
	row = ingestRow{store: store, protocol: protocol}
	data := filepath.Join(b.scratch, store+protocol)
	defer os.RemoveAll(data)
	var e *engine
	var args []string
	if b.profile > 0 {
		args = append(args, "--debug")
	}
	if store == "clickhouse" {
		if e, err = startEngine(ctx, os.Getenv(engineVariable)); err != nil {
			return row, err
		}
		defer func() { err = errors.Join(err, e.stop(ctx)) }()
		args = append(args, "--clickhouse", e.url)
	}
	p, err := b.start(ctx, store, data, args...)
	if err != nil {
		return row, err
	}
	written := p.writeProfile(b.profile, store+"-"+protocol+".pprof")
	took, err := p.load(ctx, l, b.senders, protocol, 0)
	if e != nil && err == nil {
		err = e.waitFor(ctx, l.spans)
	}
	row.peak, _ = p.peak()
	if err = errors.Join(err, written(), p.stop()); err != nil {
		return row, err
	}
	row.ended(p, l, took)
	if e != nil && protocol == "HTTP" {
		if err := b.ask(ctx, l, store, data, args); err != nil {
			return row, err
		}
	}
	if store == "pebble" {
		size, err := diskUsage(data)
		if err != nil {
			return row, err
		}
		row.perSpan = float64(size) / float64(l.spans)
	}
	if e != nil {
		size, err := e.bytes(ctx)
		if err != nil {
			return row, err
		}
		row.perSpan = size / float64(l.spans)
	}
	return row, nil
}

// ask measures the queries to a store that is filled, in a process of its own: they are no part of the row.
func (b *bench) ask(ctx context.Context, l load, store, data string, args []string) error {
	p, err := b.start(ctx, store, data, args...)
	if err != nil {
		return err
	}
	return errors.Join(b.queries(ctx, p, l.spans, ", on ClickHouse"), p.stop())
}

// load sends a load to the process.
func (p *process) load(ctx context.Context, l load, senders int, protocol string, rate float64) (time.Duration, error) {
	connect, address := overGRPC, p.grpc
	if protocol == "HTTP" {
		connect, address = overHTTP, p.http
	}
	send, stop, err := connect(address)
	if err != nil {
		return 0, err
	}
	took, err := l.send(ctx, senders, rate, send)
	return took, errors.Join(err, stop())
}

// steadyRate is that at which the memory is measured, in spans a second.
const steadyRate = 100_000

// steady measures the memory at a steady rate.
func (b *bench) steady(ctx context.Context) error {
	b.say("memory at %d spans a second", steadyRate)
	data := filepath.Join(b.scratch, "steady")
	defer os.RemoveAll(data)
	p, err := b.start(ctx, "pebble", data)
	if err != nil {
		return err
	}
	took, err := p.load(ctx, b.report.load, 2*b.senders, "gRPC", steadyRate)
	b.report.steadyPeak, _ = p.peak()
	b.report.steadyReached = float64(b.report.load.spans) / took.Seconds()
	return errors.Join(err, p.stop())
}
