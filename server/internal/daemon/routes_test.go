package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/stichotrope/stichotrope-go/server/internal/api"
)

// specified returns the routes of the API as its specification has them: method and path.
func specified(t *testing.T) (routes [][2]string) {
	t.Helper()
	var all struct {
		Paths map[string]map[string]any
	}
	require.NoError(t, yaml.Unmarshal(api.Specification, &all))
	fill := strings.NewReplacer("{id}", "0123456789abcdef0123456789abcdef", "{name}", "one")
	for path, operations := range all.Paths {
		for method := range operations {
			switch m := strings.ToUpper(method); m {
			case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
				routes = append(routes, [2]string{m, fill.Replace(path)})
			}
		}
	}
	require.Greater(t, len(routes), 15)
	return routes
}

func TestEveryRouteOfTheAPINeedsAToken(t *testing.T) {
	c := testConfig()
	c.Listen.Tokens = []string{"right"}
	d := startTest(t, c)
	for _, route := range specified(t) {
		for authorization, want := range map[string]bool{"": false, "Bearer wrong": false, "Bearer right": true} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			r := request(t, route[0], d.url(t, "http")+route[1], nil).WithContext(ctx)
			r.Header.Set("Authorization", authorization)
			response, err := client().Do(r)
			require.NoError(t, err)
			require.Equal(t, want, response.StatusCode != http.StatusUnauthorized, "%v: %q", route, authorization)
			require.NoError(t, response.Body.Close())
			cancel()
		}
	}
}

func TestEveryMethodOfGRPCNeedsAToken(t *testing.T) {
	c := testConfig()
	c.Listen.Tokens = []string{"right"}
	d := startTest(t, c)
	for listener, server := range map[string]*grpc.Server{"jaeger_grpc": d.jaeger.QueryServer(), "jaeger_storage": d.jaeger.StorageServer()} {
		connection, err := grpc.NewClient(strings.TrimPrefix(d.url(t, listener), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		methods := 0
		for service, info := range server.GetServiceInfo() {
			for _, method := range info.Methods {
				methods++
				for authorization, want := range map[string]bool{"": false, "Bearer wrong": false, "Bearer right": true} {
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					err := invoke(metadata.AppendToOutgoingContext(ctx, "authorization", authorization), connection, "/"+service+"/"+method.Name)
					require.Equal(t, want, status.Code(err) != codes.Unauthenticated, "%s/%s: %q: %v", service, method.Name, authorization, err)
					cancel()
				}
			}
		}
		require.Greater(t, methods, 4, listener)
		server.Stop()
		require.NoError(t, connection.Close())
	}
}

// invoke calls a method with an empty message, whether it streams or not.
func invoke(ctx context.Context, c *grpc.ClientConn, method string) error {
	stream, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_ = stream.CloseSend() // always nil
	return stream.RecvMsg(&emptypb.Empty{})
}

// TestEveryAnswerKeepsBrowsersSafe looks at the headers of answers of all handlers, right ones and others.
func TestEveryAnswerKeepsBrowsersSafe(t *testing.T) {
	c := testConfig()
	c.Debug = true
	d := startTest(t, c)
	for _, path := range routes["http"] {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			r := request(t, method, d.url(t, "http")+path, nil).WithContext(ctx)
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", http.MethodPost)
			response, err := client().Do(r)
			require.NoError(t, err)
			where := method + " " + path
			for name := range response.Header {
				require.False(t, strings.HasPrefix(name, "Access-Control-"), "%s: %s", where, name)
			}
			if response.StatusCode < 300 || response.StatusCode >= 400 {
				require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"), where)
				require.NotEmpty(t, response.Header.Get("Referrer-Policy"), where)
				policy := response.Header.Get("Content-Security-Policy")
				require.Contains(t, policy, "frame-ancestors 'none'", where)
				require.True(t, strings.HasPrefix(policy, "default-src "), "%s: %s", where, policy)
				require.NotContains(t, policy, "unsafe-eval", where)
			}
			require.NoError(t, response.Body.Close())
			cancel()
		}
	}
	page, _ := client().Do(request(t, http.MethodGet, d.url(t, "http")+"/", nil))
	require.NoError(t, page.Body.Close())
	for _, part := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
		require.Contains(t, page.Header.Get("Content-Security-Policy"), part)
	}
}

// TestPagesOfOthersCannotSend sends as a browser would that obeys the page of another site: either the server must be asked before,
// and does not answer that the page may, or the content type is one that is refused.
func TestPagesOfOthersCannotSend(t *testing.T) {
	d := startTest(t, testConfig())
	for content, want := range map[string]int{"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data": 415} {
		r := request(t, http.MethodPost, d.url(t, "otlp_http")+"/v1/traces", []byte("{}"))
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Content-Type", content)
		status, _ := ask(t, r)
		require.Equal(t, want, status, content)
	}
	r := request(t, http.MethodOptions, d.url(t, "otlp_http")+"/v1/traces", nil)
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	response, err := client().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
	for method, path := range map[string]string{http.MethodPost: "/api/v1/snapshots", http.MethodPut: "/api/v1/snapshots/one", http.MethodDelete: "/api/v1/snapshots/one"} {
		r := request(t, method, d.url(t, "http")+path, nil)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		status, _ := ask(t, r)
		require.Equal(t, http.StatusForbidden, status, "%s %s", method, path)
	}
}

// TestThereAreNoTenants sends a header that chooses a tenant elsewhere: it changes nothing.
func TestThereAreNoTenants(t *testing.T) {
	d := startTest(t, testConfig())
	r := request(t, http.MethodPost, d.url(t, "otlp_http")+"/v1/traces", spans(t, "shop", "GET /"))
	r.Header.Set("Content-Type", protobuf)
	r.Header.Set("X-Scope-OrgID", "one/../two")
	status, _ := ask(t, r)
	require.Equal(t, http.StatusOK, status)
	r = request(t, http.MethodGet, d.url(t, "http")+"/api/v1/services", nil)
	r.Header.Set("X-Scope-OrgID", "another")
	_, body := ask(t, r)
	require.Contains(t, string(body), "shop")
}
