package forward

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"context"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
)

// sink takes requests, after some failures.
type sink struct {
	mu   sync.Mutex
	fail []error
	got  []string
}

func (s *sink) Ingest(_ context.Context, request []byte) (otlp.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fail) > 0 {
		err := s.fail[0]
		s.fail = s.fail[1:]
		return otlp.Result{}, err
	}
	s.got = append(s.got, string(request))
	return otlp.Result{Rejected: 3, Message: "too old"}, nil
}

// TestPeersOfBothProtocols forwards to the receiver of another server.
func TestPeersOfBothProtocols(t *testing.T) {
	for _, scheme := range []string{"http", "grpc"} {
		t.Run(scheme, func(t *testing.T) {
			s := &sink{fail: []error{otlp.ErrOverloaded, otlp.ErrMalformed}}
			r := receiver.New(s, nil, receiver.DefaultLimits(), slog.New(slog.DiscardHandler))
			server := r.Server(r)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			defer func() {
				require.NoError(t, server.Close())
				require.ErrorIs(t, <-served, http.ErrServerClosed)
			}()
			p, err := newPeer(scheme+"://"+l.Addr().String(), &Access{})
			require.NoError(t, err)
			defer func() { require.NoError(t, p.close()) }()

			var again *retryable
			_, err = p.send(t.Context(), []byte("one"))
			require.ErrorAs(t, err, &again)
			require.Positive(t, again.after, "the receiver says when")
			_, err = p.send(t.Context(), []byte("two"))
			require.Error(t, err)
			require.False(t, errors.As(err, new(*retryable)))
			rejected, err := p.send(t.Context(), []byte("three"))
			require.NoError(t, err)
			require.EqualValues(t, 3, rejected)
			require.Equal(t, []string{"three"}, s.got)
		})
	}
}

func TestPeerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	for _, scheme := range []string{"http", "grpc"} {
		p, err := newPeer(scheme+"://"+address, &Access{})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err = p.send(ctx, nil)
		cancel()
		require.ErrorAs(t, err, new(*retryable))
		require.NoError(t, p.close())
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>welcome</html>")
	}))
	defer server.Close()
	p, err := newPeer(server.URL, &Access{})
	require.NoError(t, err)
	rejected, err := p.send(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, rejected)
	require.NoError(t, p.close())
}

func TestBadURLs(t *testing.T) {
	for text, message := range map[string]string{
		"": "no host", "collector:4317": "no host", "ftp://collector": "none of http, https, grpc and grpcs", "http://[": "the URL",
	} {
		_, err := New(Config{URL: text})
		require.ErrorContains(t, err, message, text)
	}
}
