package forward

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
)

// backend is a receiver over TLS that asks for a client certificate and remembers the headers of its requests.
func backend(t *testing.T) (s *httptest.Server, headers *[]http.Header, access *Access) {
	headers = &[]http.Header{}
	r := receiver.New(&sink{}, nil, receiver.DefaultLimits(), slog.New(slog.DiscardHandler))
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		*headers = append(*headers, request.Header.Clone())
		r.ServeHTTP(w, request)
	}))
	s.EnableHTTP2, s.TLS = true, &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	folder := t.TempDir()
	access = &Access{CAFile: filepath.Join(folder, "cert.pem"), CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem")}
	require.NoError(t, os.WriteFile(access.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(access.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	return s, headers, access
}

func TestHeadersAndCertificatesReachTheOtherEnd(t *testing.T) {
	s, headers, access := backend(t)
	access.Headers, access.Token = "x-tenant=a%2Cb, X-Key = k ", "secret"
	for _, scheme := range []string{"https", "grpcs"} {
		address := scheme + strings.TrimPrefix(s.URL, "https")
		p, err := newPeer(address, access)
		require.NoError(t, err)
		_, err = p.send(t.Context(), []byte("one"))
		require.NoError(t, err)
		require.NoError(t, p.close())
		got := (*headers)[len(*headers)-1]
		require.Equal(t, [3]string{"a,b", "k", "Bearer secret"}, [3]string{got.Get("X-Tenant"), got.Get("X-Key"), got.Get("Authorization")})

		for _, refused := range []*Access{{}, {CAFile: access.CAFile}} { // a foreign authority, and no certificate of ours
			p, err := newPeer(address, refused)
			require.NoError(t, err)
			_, err = p.send(t.Context(), []byte("two"))
			require.Error(t, err)
			require.NoError(t, p.close())
		}
	}
	require.Len(t, *headers, 2)
}

func TestARedirectionDoesNotGetTheHeaders(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	p, err := newPeer(s.URL, &Access{Headers: "x-key=secret"})
	require.NoError(t, err)
	_, err = p.send(t.Context(), []byte("one"))
	require.ErrorContains(t, err, "status 307")
	require.NoError(t, p.close())
	require.False(t, asked)
}

func TestBadAccessIsRefusedWithoutTellingSecrets(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, c := range []struct {
		url    string
		access Access
		want   string
	}{
		{"https://c", Access{Headers: "s3cret"}, "header 1 is not name=value"},
		{"https://c", Access{Headers: "a=b,k=s3cret%zz"}, "header 2 is not name=value"},
		{"https://c", Access{Headers: "k=s3cret%0a"}, "not printable"},
		{"https://c", Access{Headers: "s3cret name=v"}, "has no name"},
		{"https://c", Access{Headers: "content-type=s3cret"}, "content-type cannot be set"},
		{"grpcs://c", Access{Headers: "grpc-timeout=s3cret"}, "grpc-timeout cannot be set"},
		{"https://c", Access{Token: "s3cret\n"}, "not printable"},
		{"http://c", Access{Token: "s3cret"}, "without TLS"},
		{"grpc://c", Access{Headers: "authorization=s3cret"}, "without TLS"},
		{"http://me:s3cret@c", Access{}, "without TLS"},
		{"grpcs://me:s3cret@c", Access{}, "no user and password"},
		{"ftp://me:s3cret@c", Access{}, "none of http"},
		{"https://me:s3cret%zz@c", Access{}, "cannot be read"},
		{"http://c", Access{CAFile: empty}, "with https and grpcs only"},
		{"https://c", Access{CAFile: empty}, "no certificates"},
		{"https://c", Access{CAFile: empty + ".missing"}, "reading the authorities"},
		{"https://c", Access{CertFile: empty}, "both a certificate and its key"},
		{"https://c", Access{CertFile: empty, KeyFile: empty}, "reading the client certificate"},
	} {
		_, err := New(Config{URL: c.url, Access: c.access})
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "s3cret")
	}
	p, err := newPeer("http://localhost:4318", &Access{Token: "s3cret"})
	require.NoError(t, err, "it does not leave the machine")
	require.NoError(t, p.close())
}

func TestTheLogHasNoSecrets(t *testing.T) {
	var log bytes.Buffer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer s.Close()
	f, err := New(Config{
		URL: strings.Replace(s.URL, "http://", "http://me:s3cret@", 1), Access: Access{Token: "s3cret", Headers: "x-key=s3cret"},
		Timeout: time.Minute, Workers: 1, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	f.Offer([]byte("one"))
	require.NoError(t, f.Stop(t.Context()))
	require.Contains(t, log.String(), "could not be forwarded")
	require.NotContains(t, log.String(), "s3cret")
}
