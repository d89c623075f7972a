package listen

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue writes a certificate and its key to files, and returns it.
func (a *authority) issue(t *testing.T, name, certFile, keyFile string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	return cert
}

// secure is a Config with a certificate in files, and with client certificates if asked for.
func secure(t *testing.T, a *authority, clients bool) *Config {
	dir := t.TempDir()
	c := &Config{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	a.issue(t, "server", c.CertFile, c.KeyFile)
	if clients {
		c.ClientCAFile = filepath.Join(dir, "ca.pem")
		require.NoError(t, os.WriteFile(c.ClientCAFile, a.pem, 0o600))
	}
	return c
}

func (c *Config) mustCertificates(t *testing.T, log *slog.Logger) *Certificates {
	t.Helper()
	certificates, err := c.Certificates(log)
	require.NoError(t, err)
	return certificates
}

var quiet = slog.New(slog.DiscardHandler)

func TestPublicAddressesNeedTLSAndAuthentication(t *testing.T) {
	a := newAuthority(t)
	withTLS, withClients := secure(t, a, false), secure(t, a, true)
	tls := withTLS.mustCertificates(t, quiet)
	clients := withClients.mustCertificates(t, quiet)
	tokens := []string{"secret"}
	for _, c := range []struct {
		name         string
		config       Config
		address      string
		certificates *Certificates
		allowed      bool
	}{
		{"loopback", Config{}, "127.0.0.1:0", nil, true},
		{"localhost", Config{}, "localhost:0", nil, true},
		{"all of IPv4", Config{}, "0.0.0.0:0", nil, false},
		{"all", Config{}, ":0", nil, false},
		{"all, forced", Config{Insecure: true}, ":0", nil, true},
		{"all with TLS alone", Config{}, ":0", tls, false},
		{"all with tokens alone", Config{Tokens: tokens}, ":0", nil, false},
		{"all with TLS and tokens", Config{Tokens: tokens}, ":0", tls, true},
		{"all with client certificates", Config{}, ":0", clients, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := c.config.Open(t.Context(), c.address, c.certificates)
			if c.allowed {
				require.NoError(t, err)
				require.NoError(t, l.Close())
				return
			}
			require.ErrorIs(t, err, ErrInsecure)
			require.ErrorContains(t, err, c.address)
		})
	}
	_, err := new(Config).Open(t.Context(), "nonsense", nil)
	require.ErrorContains(t, err, "listening on nonsense")
}

// hello serves "hello" until the test ends.
func hello(t *testing.T, l net.Listener, handler http.Handler) string {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelDebug)}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return l.Addr().String()
}

var helloHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "hello over "+r.Proto)
})

// get asks over a connection of its own, and returns the certificate of the server as well.
func get(address string, config *tls.Config) (string, *x509.Certificate, error) {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("https://" + address)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp.TLS.PeerCertificates[0], err
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	c := secure(t, a, false)
	l, err := c.Open(t.Context(), "127.0.0.1:0", c.mustCertificates(t, quiet))
	require.NoError(t, err)
	address := hello(t, l, helloHandler)
	body, _, err := get(address, &tls.Config{RootCAs: a.pool()})
	require.NoError(t, err)
	require.Equal(t, "hello over HTTP/2.0", body)
	_, _, err = get(address, &tls.Config{RootCAs: a.pool(), MaxVersion: tls.VersionTLS12})
	require.ErrorContains(t, err, "protocol version")
	_, _, err = get(address, &tls.Config{RootCAs: newAuthority(t).pool()})
	require.Error(t, err)

	c.MinTLS = tls.VersionTLS12
	l, err = c.Open(t.Context(), "127.0.0.1:0", c.mustCertificates(t, quiet))
	require.NoError(t, err)
	_, _, err = get(hello(t, l, helloHandler), &tls.Config{RootCAs: a.pool(), MaxVersion: tls.VersionTLS12})
	require.NoError(t, err)
}

func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	c := secure(t, a, true)
	l, err := c.Open(t.Context(), "127.0.0.1:0", c.mustCertificates(t, quiet))
	require.NoError(t, err)
	address := hello(t, l, helloHandler)
	dir := t.TempDir()
	own := a.issue(t, "client", filepath.Join(dir, "c"), filepath.Join(dir, "k"))
	foreign := newAuthority(t).issue(t, "client", filepath.Join(dir, "c2"), filepath.Join(dir, "k2"))
	_, _, err = get(address, &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{own}})
	require.NoError(t, err)
	_, _, err = get(address, &tls.Config{RootCAs: a.pool()})
	require.Error(t, err)
	// Offered although the server did not name its authority.
	_, _, err = get(address, &tls.Config{RootCAs: a.pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &foreign, nil }})
	require.Error(t, err)
}

func TestCertificatesAreReadAnew(t *testing.T) {
	a := newAuthority(t)
	c := secure(t, a, false)
	var log bytes.Buffer
	certificates := c.mustCertificates(t, slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Now()
	certificates.now = func() time.Time { return now }
	l, err := c.Open(t.Context(), "127.0.0.1:0", certificates)
	require.NoError(t, err)
	address := hello(t, l, helloHandler)
	name := func() string {
		_, cert, err := get(address, &tls.Config{RootCAs: a.pool()})
		require.NoError(t, err)
		return cert.Subject.CommonName
	}
	// The files change as a copy would do it: the times of files may be coarse.
	change := func() {
		now = now.Add(2 * reloadInterval)
		require.NoError(t, os.Chtimes(c.CertFile, now, now))
	}
	require.Equal(t, "server", name())
	a.issue(t, "renewed", c.CertFile, c.KeyFile)
	require.Equal(t, "server", name(), "it was looked at just now")
	change()
	require.Equal(t, "renewed", name())

	require.NoError(t, os.WriteFile(c.CertFile, []byte("half a cert"), 0o600))
	change()
	require.Equal(t, "renewed", name())
	require.Contains(t, log.String(), "the old ones stay in use")
	a.issue(t, "again", c.CertFile, c.KeyFile)
	change()
	require.Equal(t, "again", name())
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t)
	none, err := new(Config).Certificates(quiet)
	require.NoError(t, err)
	require.Nil(t, none)
	for name, spoil := range map[string]func(*Config){
		"no key":           func(c *Config) { c.KeyFile = "" },
		"only clients":     func(c *Config) { c.CertFile, c.KeyFile = "", "" },
		"a missing file":   func(c *Config) { c.CertFile += ".missing" },
		"a missing CA":     func(c *Config) { c.ClientCAFile += ".missing" },
		"a CA that is key": func(c *Config) { c.ClientCAFile = c.KeyFile },
	} {
		c := secure(t, a, true)
		spoil(c)
		_, err := c.Certificates(quiet)
		require.Error(t, err, name)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	c := Config{Connections: 2}
	l, err := c.Open(t.Context(), "127.0.0.1:0", nil)
	require.NoError(t, err)
	address := hello(t, l, helloHandler)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		return conn
	}
	ask := func(conn net.Conn) error {
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, len("HTTP/1.1 200 OK")))
		}
		return err
	}
	first, second := dial(), dial()
	require.NoError(t, ask(first))
	require.NoError(t, ask(second))
	third := dial()
	require.Error(t, ask(third))
	require.NoError(t, third.Close())
	require.Equal(t, []int64{2, 2, 1}, []int64{l.Counters.Open.Load(), l.Counters.Accepted.Load(), l.Counters.Refused.Load()})
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool { return l.Counters.Open.Load() == 1 }, 10*time.Second, time.Millisecond)
	fourth := dial()
	require.NoError(t, ask(fourth))
	require.NoError(t, fourth.Close())
	require.NoError(t, second.Close())
}

func TestBufferedConnectionsReadEverything(t *testing.T) {
	l, err := new(Config).Open(t.Context(), "127.0.0.1:0", nil)
	require.NoError(t, err)
	defer l.Close()
	sent := make([]byte, 5*bufferBytes+7)
	for i := range sent {
		sent[i] = byte(i * 31)
	}
	go func() {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.Addr().String())
		if err == nil {
			_, _ = conn.Write(sent)
			_ = conn.Close()
		}
	}()
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	var got []byte
	for size := 1; ; size = size*3%70_000 + 1 {
		p := make([]byte, size)
		n, err := conn.Read(p)
		got = append(got, p[:n]...)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	require.Equal(t, sent, got)
}

// A connection that was waited for in vain is counted once; one that is used, and then closed, is not.
func TestTimeoutsAreCounted(t *testing.T) {
	l, err := new(Config).Open(t.Context(), "127.0.0.1:0", nil)
	require.NoError(t, err)
	server := &http.Server{Handler: helloHandler, ReadHeaderTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	for i, text := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, text)
		require.NoError(t, err)
		_, err = io.ReadAll(conn) // until the server closes it
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.EqualValues(t, i+1, l.Counters.TimedOut.Load())
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-done, http.ErrServerClosed)
	require.EqualValues(t, 3, l.Counters.TimedOut.Load())
}
