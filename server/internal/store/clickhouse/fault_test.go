package clickhouse_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// proxy stands between a store and ClickHouse, and cuts connections.
type proxy struct {
	net.Listener
	target string
	// left is how many bytes may still pass to ClickHouse before all connections are cut; answers is whether what ClickHouse
	// answers passes.
	left    atomic.Int64
	answers atomic.Bool
	// slow keeps answers back until it is closed, unless it is nil.
	slow atomic.Pointer[chan struct{}]
	mu   sync.Mutex
	open map[net.Conn]bool
	done sync.WaitGroup
}

const unlimited = 1 << 60

func newProxy(t *testing.T) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return proxyOn(t, l)
}

// proxyOn is a proxy for those who connect to a listener.
func proxyOn(t *testing.T, l net.Listener) *proxy {
	p := &proxy{Listener: l, target: address(t), open: map[net.Conn]bool{}}
	p.left.Store(unlimited)
	p.answers.Store(true)
	p.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(1) // Close returns when the other side has learned of it
		}
		_ = c.Close()
	}
}

func (p *proxy) pass(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client, func(n int) bool { return p.left.Add(-int64(n)) >= 0 }) })
	both.Go(func() {
		p.copy(client, server, func(int) bool {
			if slow := p.slow.Load(); slow != nil {
				<-*slow
			}
			return p.answers.Load()
		})
	})
	both.Wait()
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}

func (p *proxy) copy(to, from net.Conn, may func(n int) bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !may(n) {
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err == io.EOF || err != nil {
			return
		}
	}
}

// through returns the URL by way of the proxy.
func (p *proxy) through(url string) string {
	return strings.Replace(url, p.target, p.Addr().String(), 1)
}

// requireAll waits until everything is sent, and compares what is in ClickHouse with what was committed.
func requireAll(t *testing.T, s *clickhouse.Store, segments []*storetest.Made) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, 10*time.Millisecond)
	var parts []*core.Snapshot
	spans := 0
	for _, m := range segments {
		spans += len(m.Spans)
		for _, p := range m.Profiles {
			parts = append(parts, p.Snapshot)
		}
	}
	size, err := s.Size(context.Background())
	require.NoError(t, err)
	require.EqualValues(t, spans, size.Spans)
	got, err := s.Profile(context.Background(), store.Range{})
	require.NoError(t, err)
	w, err := core.Merge(parts...).MarshalBinary()
	require.NoError(t, err)
	g, err := got.MarshalBinary()
	require.NoError(t, err)
	require.True(t, string(w) == string(g), "the profile is not that of what was committed")
}

// TestCut cuts connections in the middle of a batch, and after a batch before its answer.
func TestCut(t *testing.T) {
	url := newDatabase(t)
	p := newProxy(t)
	o := options(t, p.through(url))
	s := open(t, o)
	g := storetest.NewGenerator(1)
	var segments []*storetest.Made
	commit := func() {
		m := g.Segment(200)
		m.AddProfiles()
		require.NoError(t, s.Commit(context.Background(), &m.Segment))
		segments = append(segments, m)
	}
	for i := range 6 {
		failed := s.Counters().Failed
		if i%2 == 0 {
			p.left.Store(int64(3000 + i*20_000)) // somewhere in it
		} else {
			p.answers.Store(false)
		}
		commit()
		require.Eventually(t, func() bool { return s.Counters().Failed > failed }, time.Minute, time.Millisecond)
		p.left.Store(unlimited)
		p.answers.Store(true)
		requireAll(t, s, segments)
	}
	require.NoError(t, s.Close())
}

// TestUnknown asks while it is not known whether ClickHouse has a batch, and cannot become known: that is the error, not an answer
// in which it may be twice.
func TestUnknown(t *testing.T) {
	p := newProxy(t)
	o := options(t, p.through(newDatabase(t)))
	o.CloseTime = -1
	s := open(t, o)
	m := storetest.NewGenerator(1).Segment(200)
	p.left.Store(30_000) // somewhere in it
	require.NoError(t, s.Commit(t.Context(), &m.Segment))
	require.Eventually(t, func() bool { return s.Counters().Failed > 0 }, time.Minute, time.Millisecond)
	_, err := s.Services(t.Context())
	require.ErrorContains(t, err, "it is not known which spans ClickHouse has")
	require.NoError(t, s.Close())
}

// TestAddresses has a ClickHouse that speaks TLS at the second of two addresses, with nobody at the first: all that the driver is told
// of where and how to connect holds for spans as well, which do not go through it.
func TestAddresses(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	web.Close()
	nobody := web.Listener.Addr().String()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := proxyOn(t, tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates}))
	url := newDatabase(t)
	url = strings.Replace(url, p.target, nobody+","+p.Addr().String(), 1)
	s := open(t, options(t, url+"?secure=true&skip_verify=true&connection_open_strategy=in_order"))
	m := storetest.NewGenerator(1).Segment(20)
	m.AddProfiles()
	require.NoError(t, s.Commit(t.Context(), &m.Segment))
	requireAll(t, s, []*storetest.Made{m})
	require.Zero(t, s.Counters().Failed)
	require.NoError(t, s.Close())
}

// TestIdleCut cuts the connections while nobody uses them, as ClickHouse does when it starts anew: nothing fails.
func TestIdleCut(t *testing.T) {
	url := newDatabase(t)
	p := newProxy(t)
	s := open(t, options(t, p.through(url)))
	g := storetest.NewGenerator(1)
	var segments []*storetest.Made
	for range 3 {
		m := g.Segment(20)
		m.AddProfiles()
		require.NoError(t, s.Commit(t.Context(), &m.Segment))
		segments = append(segments, m)
		requireAll(t, s, segments)
		p.cut()
	}
	require.Zero(t, s.Counters().Failed)
	require.NoError(t, s.Close())
}

// TestSlow has a ClickHouse whose answers take longer than the store waits. Commits do not wait; queries say that it takes too
// long, and nothing is lost or counted twice.
func TestSlow(t *testing.T) {
	url := newDatabase(t)
	require.NoError(t, open(t, options(t, url)).Close()) // makes the tables
	p := newProxy(t)
	o := options(t, p.through(url)+"?dial_timeout=300ms")
	o.Timeout, o.QueryTime, o.CloseTime = 300*time.Millisecond, 300*time.Millisecond, -1
	s := open(t, o)
	g := storetest.NewGenerator(6)
	var segments []*storetest.Made
	commit := func() {
		m := g.Segment(100)
		m.AddProfiles()
		require.NoError(t, s.Commit(t.Context(), &m.Segment))
		segments = append(segments, m)
	}
	slow := make(chan struct{})
	p.slow.Store(&slow)
	_, err := s.Profile(t.Context(), store.Range{})
	require.ErrorContains(t, err, "takes too long")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for range 3 {
		commit()
	}
	require.Eventually(t, func() bool { return s.Counters().Failed > 1 }, time.Minute, time.Millisecond)
	require.EqualValues(t, 3, s.Counters().Waiting)
	_, err = s.Profile(t.Context(), store.Range{})
	require.Error(t, err)
	p.slow.Store(nil)
	close(slow)
	require.NoError(t, s.Close())
	o.URL, o.Timeout, o.QueryTime = url, time.Minute, time.Minute
	s = open(t, o)
	requireAll(t, s, segments)
	require.NoError(t, s.Close())
}

// TestDownThenBack fills the queue while ClickHouse is away.
func TestDownThenBack(t *testing.T) {
	url := newDatabase(t)
	p := newProxy(t)
	o := options(t, p.through(url))
	o.QueueBytes, o.CloseTime = 600<<10, -1
	s := open(t, o)
	p.left.Store(0)
	p.cut()
	g, ctx := storetest.NewGenerator(2), context.Background()
	var segments []*storetest.Made
	for full := false; !full; {
		require.Less(t, len(segments), 1000, "the queue has no bound")
		m := g.Segment(100)
		m.AddProfiles()
		seq, err := s.Append(ctx, m.Spans[0].Raw)
		if full = err != nil; full {
			require.ErrorIs(t, err, store.ErrFull)
			break
		}
		m.Consumed = []store.Consumed{{Seq: seq, All: true}}
		require.NoError(t, s.Commit(ctx, &m.Segment))
		segments = append(segments, m)
	}
	require.Greater(t, len(segments), 3)
	c := s.Counters()
	require.EqualValues(t, len(segments), c.Waiting)
	require.False(t, c.Oldest.IsZero())
	require.LessOrEqual(t, c.QueueBytes, c.QueueLimit+200<<10)
	// The process ends, and another one finds it all.
	require.NoError(t, s.Close())
	s = open(t, o)
	require.EqualValues(t, len(segments), s.Counters().Waiting)
	p.left.Store(unlimited)
	requireAll(t, s, segments)
	_, err := s.Append(ctx, []byte("entry"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestReadOnly has a ClickHouse that answers and takes nothing. What waits is read from the queue.
func TestReadOnly(t *testing.T) {
	url := newDatabase(t)
	o := options(t, url)
	require.NoError(t, open(t, o).Close())
	readOnly := o
	readOnly.URL, readOnly.CloseTime = url+"?readonly=1", -1
	s := open(t, readOnly)
	m := storetest.NewGenerator(3).Segment(50)
	m.AddProfiles()
	require.NoError(t, s.Commit(context.Background(), &m.Segment))
	require.Eventually(t, func() bool { return s.Counters().Failed > 0 }, time.Minute, time.Millisecond)
	size, err := s.Size(context.Background())
	require.NoError(t, err)
	require.EqualValues(t, len(m.Spans), size.Spans)
	hits, err := s.Search(context.Background(), &store.Query{})
	require.NoError(t, err)
	require.Len(t, hits, 50)
	require.NoError(t, s.Close())
	s = open(t, o)
	requireAll(t, s, []*storetest.Made{m})
	require.NoError(t, s.Close())
}

// TestSentTwice sends what was sent already, as after a crash before the queue knew of it.
func TestSentTwice(t *testing.T) {
	o := options(t, newDatabase(t))
	s := open(t, o)
	m := storetest.NewGenerator(4).Segment(50)
	m.AddProfiles()
	parcel := clickhouse.EncodeParcel(t, &m.Segment)
	for range 3 {
		clickhouse.Deliver(t, s, parcel)
	}
	requireAll(t, s, []*storetest.Made{m})
	require.NoError(t, s.Close())
}

// TestWrongPort has HTTP where ClickHouse's native protocol should be: the usual mistake is the port 8123.
func TestWrongPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var web sync.WaitGroup
	web.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
	})
	err = clickhouse.Migrate(t.Context(), "clickhouse://"+l.Addr().String()+"/x", clickhouse.Schema{})
	require.ErrorContains(t, err, "correct the port")
	require.NoError(t, l.Close())
	web.Wait()
}
