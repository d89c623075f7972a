package listen

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

var authorizations = map[string]struct {
	header string
	right  bool
}{
	"none":           {"", false},
	"wrong":          {"Bearer third", false},
	"prefix":         {"Bearer firs", false},
	"longer":         {"Bearer first1", false},
	"empty":          {"Bearer ", false},
	"another scheme": {"Basic first", false},
	"bare":           {"first", false},
	"first":          {"Bearer first", true},
	"second":         {"bearer  second ", true},
}

func TestTokensOverHTTP(t *testing.T) {
	guard := (&Config{Tokens: []string{"first", "second"}}).Guard()
	handler := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	denied := int64(0)
	for name, c := range authorizations {
		for _, content := range []string{"", "application/grpc", "application/grpc+proto"} {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4318/v1/traces", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			r.Header.Set("Content-Type", content)
			handler.ServeHTTP(w, r)
			switch {
			case c.right:
				require.Equal(t, http.StatusTeapot, w.Code, name)
				continue
			case content == "":
				require.Equal(t, http.StatusUnauthorized, w.Code, name)
				require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			default:
				require.Equal(t, http.StatusOK, w.Code, name)
				require.Equal(t, "16", w.Header().Get("Grpc-Status"))
			}
			denied++
		}
	}
	require.Equal(t, denied, guard.Denied.Load())
}

func TestTokensOverGRPC(t *testing.T) {
	guard := (&Config{Tokens: []string{"first", "second"}}).Guard()
	s := grpc.NewServer(grpc.UnaryInterceptor(guard.Unary), grpc.StreamInterceptor(guard.Stream))
	healthpb.RegisterHealthServer(s, health.NewServer())
	l, err := new(Config).Open(t.Context(), "127.0.0.1:0", nil)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	for name, c := range authorizations {
		ctx := t.Context()
		if c.header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.header)
		}
		client := healthpb.NewHealthClient(conn)
		_, unary := client.Check(ctx, &healthpb.HealthCheckRequest{})
		stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
		require.NoError(t, err)
		_, streamed := stream.Recv()
		for _, err := range []error{unary, streamed} {
			if c.right {
				require.NoError(t, err, name)
			} else {
				require.Equal(t, codes.Unauthenticated, status.Code(err), name)
			}
		}
	}
	require.NoError(t, conn.Close())
	s.Stop()
	require.NoError(t, <-done)
}

func TestHosts(t *testing.T) {
	guard := (&Config{Hosts: []string{"Profiles.example.com"}}).Guard()
	everyone := (&Config{Hosts: []string{"*"}}).Guard()
	for host, allowed := range map[string]bool{
		"localhost": true, "LOCALHOST:4318": true, "127.0.0.1:4318": true, "10.1.2.3": true, "[::1]:4318": true, "[::1]": true,
		"profiles.example.com": true, "profiles.EXAMPLE.com.:443": true, "evil.example.com": false, "evil.example.com:4318": false, "": false,
		"localhost.evil.example": false, "127.0.0.1.evil.example": false,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		guard.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		require.Equal(t, map[bool]int{true: http.StatusNotFound, false: http.StatusMisdirectedRequest}[allowed], w.Code, host)
		w = httptest.NewRecorder()
		everyone.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		require.Equal(t, http.StatusNotFound, w.Code, host)
	}
	require.Equal(t, int64(5), guard.Misaddressed.Load())
	require.Zero(t, guard.Denied.Load())
}

func TestTokensFromFileAndList(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(file, []byte("# two of them\none\n\n  two \r\n"), 0o600))
	for _, c := range []struct {
		file, list string
		want       []string
	}{
		{"", "", nil}, {"", "a, b,", []string{"a", "b"}}, {file, "", []string{"one", "two"}}, {file, "a", []string{"a", "one", "two"}},
	} {
		got, err := TokensFrom(c.file, c.list)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := TokensFrom(file+".missing", "a")
	require.ErrorContains(t, err, "reading the tokens")
	require.NoError(t, os.WriteFile(file, []byte("# none\n"), 0o600))
	_, err = TokensFrom(file, "a")
	require.ErrorContains(t, err, "has no tokens", "who names a file wants tokens of it")
}

// A Listener is one for every server, so also an interface.
var _ net.Listener = (*Listener)(nil)
