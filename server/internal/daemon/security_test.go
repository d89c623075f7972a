package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/apiv3"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/storage"
	"github.com/stichotrope/stichotrope-go/server/internal/listen"
)

// routes are paths of every handler behind the listeners of HTTP.
var routes = map[string][]string{
	"http": {
		"/", "/nothing", "/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/services", "/api/v1/blocks", "/api/v1/tree", "/api/v1/traces",
		"/api/v1/events", "/api/v1/profile", "/api/v1/snapshots", "/api/v1/openapi.yaml", "/api/v1/nothing", "/api/services", "/api/traces", "/api/dependencies",
		"/api/metrics/calls", "/api/v3/services", "/api/v3/traces", "/debug/otelprof/", "/debug/pprof/", "//", "/a/../b",
	},
	"otlp_http": {"/v1/traces", "/v1/metrics", "/"},
	"otlp_grpc": {"/v1/traces"},
}

func TestEveryRouteNeedsAToken(t *testing.T) {
	c := testConfig()
	c.Debug = true
	c.Listen.Tokens = []string{"right", "other"}
	d := startTest(t, c)
	for listener, paths := range routes {
		for _, path := range paths {
			for authorization, want := range map[string]bool{
				"": false, "Bearer wrong": false, "Bearer ": false, "Basic right": false, "right": false, "Bearer right": true, "bearer other": true,
			} {
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					r := request(t, method, d.url(t, listener)+path, nil).WithContext(ctx)
					if authorization != "" {
						r.Header.Set("Authorization", authorization)
					}
					response, err := client().Do(r)
					require.NoError(t, err)
					require.Equal(t, want, response.StatusCode != http.StatusUnauthorized, "%s %s %s: %q", listener, method, path, authorization)
					response.Body.Close() // without the body, which may have no end
					cancel()
				}
			}
		}
	}
	require.NotZero(t, d.guard.Denied.Load())
}

// calls are calls of every service that listeners of gRPC have.
var calls = map[string]func(ctx context.Context, c grpc.ClientConnInterface) error{
	"otlp_grpc": func(ctx context.Context, c grpc.ClientConnInterface) error {
		_, err := coltracepb.NewTraceServiceClient(c).Export(ctx, &coltracepb.ExportTraceServiceRequest{})
		return err
	},
	"jaeger_grpc": func(ctx context.Context, c grpc.ClientConnInterface) error {
		_, err := apiv3.NewQueryServiceClient(c).GetServices(ctx, &apiv3.GetServicesRequest{})
		return err
	},
	"jaeger_storage": func(ctx context.Context, c grpc.ClientConnInterface) error {
		_, err := storage.NewTraceReaderClient(c).GetServices(ctx, &storage.GetServicesRequest{})
		return err
	},
}

func TestEveryCallNeedsATokenAndAHost(t *testing.T) {
	c := testConfig()
	c.Listen.Tokens = []string{"right"}
	c.Listen.Hosts = []string{"profiles.example"}
	d := startTest(t, c)
	for listener, call := range calls {
		for _, x := range []struct {
			host, authorization string
			want                codes.Code
		}{
			{"", "", codes.Unauthenticated}, {"", "Bearer wrong", codes.Unauthenticated}, {"", "Bearer right", codes.OK},
			{"evil.example", "Bearer right", codes.PermissionDenied}, {"profiles.example:1", "Bearer right", codes.OK},
		} {
			options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
			if x.host != "" {
				options = append(options, grpc.WithAuthority(x.host))
			}
			connection, err := grpc.NewClient(strings.TrimPrefix(d.url(t, listener), "http://"), options...)
			require.NoError(t, err)
			ctx := t.Context()
			if x.authorization != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", x.authorization)
			}
			require.Equal(t, x.want, status.Code(call(ctx, connection)), "%s %+v", listener, x)
			require.NoError(t, connection.Close())
		}
	}
}

func TestHostsThatAreNotAllowed(t *testing.T) {
	c := testConfig()
	c.Listen.Hosts = []string{"profiles.example"}
	d := startTest(t, c)
	for listener, paths := range routes {
		for host, want := range map[string]bool{
			"evil.example": false, "profiles.example.evil.example": false, "localhost.evil.example:80": false,
			"profiles.example": true, "PROFILES.example:4319": true, "localhost": true, "127.0.0.1:1": true, "[::1]:4319": true,
		} {
			r := request(t, http.MethodGet, d.url(t, listener)+paths[0], nil)
			r.Host = host
			code, _ := ask(t, r)
			require.Equal(t, want, code != http.StatusMisdirectedRequest, "%s %s", listener, host)
		}
	}
}

// certificate writes a certificate that an authority of its own signed, its key and the authority, in PEM.
func certificate(t *testing.T) (cert, key, authority string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "otelprof"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return cert, key, cert
}

func TestTLS(t *testing.T) {
	cert, key, authority := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	text, err := os.ReadFile(authority)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	for _, mutual := range []bool{false, true} {
		c := testConfig()
		c.Listen.CertFile, c.Listen.KeyFile = cert, key
		if mutual {
			c.Listen.ClientCAFile = authority
		}
		d := startTest(t, c)
		get := func(url string, config *tls.Config) error {
			transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
			response, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(request(t, http.MethodGet, url, nil))
			if err != nil {
				return err
			}
			return response.Body.Close()
		}
		for _, a := range d.Addresses() {
			require.True(t, strings.HasPrefix(a.URL(), "https://"), a.Name)
		}
		for _, listener := range []string{"http", "otlp_http"} {
			url := d.url(t, listener) + "/healthz"
			require.NoError(t, get(url, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}))
			require.Error(t, get(url, &tls.Config{}), "the authority is not known")
			require.Error(t, get(url, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS11}))
			if err := get(url, &tls.Config{RootCAs: pool}); mutual {
				require.ErrorContains(t, err, "certificate required")
			} else {
				require.NoError(t, err)
			}
		}
	}
}

func TestPublicAddressesAreRefused(t *testing.T) {
	for _, set := range []func(c *Config, address string){
		func(c *Config, a string) { c.OTLPGRPC = a }, func(c *Config, a string) { c.OTLPHTTP = a }, func(c *Config, a string) { c.HTTP = a },
		func(c *Config, a string) { c.JaegerGRPC = a }, func(c *Config, a string) { c.JaegerStorage = a },
	} {
		c := testConfig()
		set(&c, "0.0.0.0:0")
		_, err := Start(t.Context(), c)
		require.ErrorIs(t, err, listen.ErrInsecure)
	}
}
