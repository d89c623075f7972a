package receiver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// The settings of HTTP/2 tell the limit, a stream above it is refused, and a flood of CONTINUATION ends the connection.
func TestHTTP2Limits(t *testing.T) {
	limits := DefaultLimits()
	limits.Streams = 3
	s := serve(t, limits)
	conn := s.raw(t)
	_, err := io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	f := http2.NewFramer(conn, conn)
	require.NoError(t, f.WriteSettings())
	for id := uint32(1); id <= 7; id += 2 {
		require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: callHeader(s), EndHeaders: true}))
	}
	told, refused := uint32(0), false
	for !refused {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if n, ok := frame.Value(http2.SettingMaxConcurrentStreams); ok {
				told = n
			}
		case *http2.RSTStreamFrame:
			require.Equal(t, uint32(7), frame.StreamID)
			refused = true
		}
	}
	require.Equal(t, uint32(3), told)

	flood := s.raw(t)
	_, err = io.WriteString(flood, http2.ClientPreface)
	require.NoError(t, err)
	f = http2.NewFramer(flood, flood)
	require.NoError(t, f.WriteSettings())
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: callHeader(s)}))
	for i := 0; ; i++ {
		require.Less(t, i, 100_000, "the flood goes on")
		if err := f.WriteContinuation(1, false, bytes.Repeat([]byte{0x00, 0x01, 'x', 0x01, 'y'}, 1000)); err != nil {
			break
		}
	}
	require.NoError(t, conn.Close())
	require.NoError(t, flood.Close())
}

// Streams that are reset as soon as they are opened ("rapid reset"), by the ten thousand: others are answered meanwhile, and nothing
// is left of it.
func TestFloodsOfResets(t *testing.T) {
	s := serve(t, DefaultLimits())
	files := openFiles(t)
	var floods sync.WaitGroup
	for range 3 {
		conn := s.raw(t)
		go func() { _, _ = io.Copy(io.Discard, conn) }() // until it is closed, here or there
		floods.Go(func() {
			defer conn.Close()
			f := http2.NewFramer(conn, conn)
			_, err := io.WriteString(conn, http2.ClientPreface)
			if err == nil {
				err = f.WriteSettings()
			}
			for id := uint32(1); id < 20_000 && err == nil; id += 2 {
				if err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: callHeader(s), EndHeaders: true}); err == nil {
					err = f.WriteRSTStream(id, http2.ErrCodeCancel)
				}
			}
		})
	}
	for range 20 {
		resp, _ := s.send(t, post{content: typeProto})
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	floods.Wait()
	http.DefaultClient.CloseIdleConnections()
	require.Eventually(t, func() bool { return openFiles(t) <= files && s.Counters.InFlightBytes.Load() == 0 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, int64(20), s.Counters.Accepted.Load())
	require.Zero(t, s.Counters.Failed.Load())
}

// openFiles returns how many descriptors the process has open.
func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("only Linux tells what is open")
	}
	return len(entries)
}

// Clients that go away at any point leave no descriptor and no memory behind.
func TestNothingLeaksOfThoseWhoGoAway(t *testing.T) {
	s := serve(t, DefaultLimits())
	files := openFiles(t)
	for i := range 300 {
		conn := s.raw(t)
		switch i % 4 {
		case 1:
			_, _ = io.WriteString(conn, "POST /v1/traces HTTP/1.1\r\nHost: loc")
		case 2:
			_, _ = fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\nabc", typeProto)
		case 3:
			_, _ = io.WriteString(conn, http2.ClientPreface)
		}
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool { return openFiles(t) <= files && s.Counters.InFlightBytes.Load() == 0 }, time.Minute, 10*time.Millisecond)
	require.Empty(t, s.traces.received())
}
