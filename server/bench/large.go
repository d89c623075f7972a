package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// queryRow is how long one kind of query takes.
type queryRow struct {
	what     string
	spans    int
	p50, p95 time.Duration
}

// queryTimes is how often each query is asked.
const queryTimes = 40

// largeStore fills a store, restarts the server on it, and asks it.
func (b *bench) largeStore(ctx context.Context) error {
	data := filepath.Join(b.scratch, "large")
	defer os.RemoveAll(data)
	p, err := b.start(ctx, "pebble", data)
	if err != nil {
		return err
	}
	g := newGenerator()
	sent, asked := 0, false
	for sent < b.large {
		l, err := g.next(min(b.spans, b.large))
		if err != nil {
			return errors.Join(err, p.stop())
		}
		if _, err := p.load(ctx, l, b.senders, "gRPC", 0); err != nil {
			return errors.Join(err, p.stop())
		}
		sent += l.spans
		b.say("stored %d of %d spans", sent, b.large)
		if !asked {
			asked = true
			if err := b.busyAndIdle(ctx, p, sent); err != nil {
				return errors.Join(err, p.stop())
			}
		}
	}
	if err := p.stop(); err != nil {
		return err
	}
	size, err := diskUsage(data)
	if err != nil {
		return err
	}
	b.report.largeSpans, b.report.largePerSpan = sent, float64(size)/float64(sent)
	b.say("restarting")
	if p, err = b.start(ctx, "pebble", data); err != nil {
		return err
	}
	b.report.restart = p.started
	return errors.Join(b.queries(ctx, p, sent, ""), p.stop())
}

// busyAndIdle asks right after a burst, while the traces that wait for more spans are put into the store, and when that is done.
func (b *bench) busyAndIdle(ctx context.Context, p *process, spans int) error {
	if err := b.queries(ctx, p, spans, ", right after a burst"); err != nil {
		return err
	}
	for range 600 {
		pending, err := p.metric(ctx, "otelprof_pipeline_pending_bytes")
		if err != nil {
			return err
		}
		if pending == 0 {
			return b.queries(ctx, p, spans, "")
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("traces are still pending after half a minute")
}

// queries asks what people ask; suffix tells what is asked.
func (b *bench) queries(ctx context.Context, p *process, spans int, suffix string) error {
	base := "http://" + p.page
	var found struct {
		Data []struct {
			TraceID string `json:"traceID"`
		} `json:"data"`
	}
	search := base + "/api/traces?limit=20&service=checkout&operation=" + url.QueryEscape("POST /orders") + "&minDuration=30ms&lookback=1h"
	body, err := get(ctx, search)
	if err == nil {
		err = json.Unmarshal(body, &found)
	}
	if err != nil {
		return err
	}
	if len(found.Data) == 0 {
		return errors.New("the search finds nothing")
	}
	rare := func() string {
		tags, _ := json.Marshal(map[string]string{"user.id": fmt.Sprintf("user-%d", rand.IntN(5000))})
		return base + "/api/traces?limit=20&service=cart&lookback=1h&tags=" + url.QueryEscape(string(tags))
	}
	for _, q := range []struct {
		what string
		url  func() string
	}{
		{"trace by id", func() string { return base + "/api/traces/" + found.Data[rand.IntN(len(found.Data))].TraceID }},
		{"search by service, operation and duration", func() string { return search }},
		{"search by attribute", rare},
		{"services", func() string { return base + "/api/services" }},
		{"blocks over 24 h", func() string { return base + "/api/v1/blocks?since=24h" }},
		{"call tree over 24 h", func() string { return base + "/api/v1/tree?since=24h" }},
	} {
		b.say("asking: %s", q.what)
		var times []time.Duration
		for range queryTimes {
			address, began := q.url(), time.Now()
			if _, err := get(ctx, address); err != nil {
				return fmt.Errorf("%s: %w", q.what, err)
			}
			times = append(times, time.Since(began))
		}
		slices.Sort(times)
		b.report.queries = append(b.report.queries, queryRow{q.what + suffix, spans, times[len(times)/2], times[len(times)*95/100]})
	}
	return nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", address, response.Status, body)
	}
	return body, err
}
