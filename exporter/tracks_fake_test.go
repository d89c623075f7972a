package exporter

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// fakeClient keeps what is uploaded while upload, if set, returns nil.
type fakeClient struct {
	mu        sync.Mutex
	upload    func(ctx context.Context) error
	start     func() error
	stop      func() error
	delivered [][]*tracepb.ResourceSpans
	stopped   int
}

func (c *fakeClient) Start(context.Context) error {
	if c.start != nil {
		return c.start()
	}
	return nil
}

func (c *fakeClient) Stop(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped++
	if c.stop != nil {
		return c.stop()
	}
	return nil
}

func (c *fakeClient) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	c.mu.Lock()
	upload := c.upload
	c.mu.Unlock()
	if upload != nil {
		if err := upload(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delivered = append(c.delivered, spans)
	return nil
}

// answer sets what the client does with uploads.
func (c *fakeClient) answer(upload func(ctx context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upload = upload
}

// profiles reads back everything that was delivered.
func (c *fakeClient) profiles(t testing.TB) []*core.Snapshot {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*tracepb.ResourceSpans
	for _, spans := range c.delivered {
		all = append(all, spans...)
	}
	out, err := ReadSpans(all)
	require.NoError(t, err)
	return out
}

// windowAttribute returns an attribute of the window that was delivered last.
func (c *fakeClient) windowAttribute(t testing.TB, key string) any {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NotEmpty(t, c.delivered)
	spans := c.delivered[len(c.delivered)-1][0].ScopeSpans[0].Spans
	for _, kv := range spans[len(spans)-1].Attributes {
		if kv.Key == key {
			if n, err := readInt(kv); err == nil {
				return n
			}
			return kv.Value.GetStringValue()
		}
	}
	return nil
}
