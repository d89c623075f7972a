package receiver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"google.golang.org/grpc/credentials"

	"github.com/stichotrope/stichotrope-go/server/internal/listen"
)

// testCertificate writes the certificate that httptest has to files.
func testCertificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	cert, roots := s.TLS.Certificates[0], x509.NewCertPool()
	roots.AddCert(s.Certificate())
	s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	return certFile, keyFile, roots
}

func TestRealClientsOverTLSWithTokens(t *testing.T) {
	certFile, keyFile, roots := testCertificate(t)
	config := listen.Config{CertFile: certFile, KeyFile: keyFile, Tokens: []string{"secret"}, Hosts: []string{"example.com"}}
	certificates, err := config.Certificates(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := config.Open(t.Context(), "127.0.0.1:0", certificates)
	require.NoError(t, err)
	traces := &sink{}
	r := New(traces, nil, DefaultLimits(), slog.New(slog.DiscardHandler))
	guard := config.Guard()
	h := r.Server(guard.Handler(r))
	done := make(chan error)
	go func() { done <- h.Serve(l) }()

	client := &tls.Config{RootCAs: roots, ServerName: "example.com"}
	address := l.Addr().String()
	for name, c := range map[string]func(headers map[string]string) otlptrace.Client{
		"gRPC": func(headers map[string]string) otlptrace.Client {
			return otlptracegrpc.NewClient(otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithTLSCredentials(credentials.NewTLS(client.Clone())), otlptracegrpc.WithHeaders(headers))
		},
		"HTTP": func(headers map[string]string) otlptrace.Client {
			return otlptracehttp.NewClient(otlptracehttp.WithEndpoint(address), otlptracehttp.WithTLSClientConfig(client.Clone()), otlptracehttp.WithHeaders(headers))
		},
	} {
		upload := func(token string) error {
			one := c(map[string]string{"authorization": "Bearer " + token})
			require.NoError(t, one.Start(t.Context()))
			defer func() { require.NoError(t, one.Stop(context.Background())) }()
			return one.UploadTraces(t.Context(), spans(10, 100))
		}
		require.NoError(t, upload("secret"), name)
		require.Error(t, upload("wrong"), name)
	}
	require.Len(t, traces.received(), 2)
	require.Equal(t, int64(2), guard.Denied.Load())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, h.Shutdown(ctx))
	require.ErrorIs(t, <-done, http.ErrServerClosed)
}
