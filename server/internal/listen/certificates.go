package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// reloadInterval is how often, at most, the files of certificates are looked at: when a client connects.
const reloadInterval = time.Second

// Certificates are those of files. They are read anew when a file has changed; if the new ones cannot be used, the old ones
// stay in use. They are safe for concurrent use.
type Certificates struct {
	certFile, keyFile, caFile string
	min                       uint16
	log                       *slog.Logger
	now                       func() time.Time

	mu      sync.Mutex
	checked time.Time
	read    [3]stamp
	current *tls.Config
}

// stamp tells whether a file has changed.
type stamp struct {
	modified time.Time
	size     int64
}

// Certificates reads the files. It returns nil if the Config has none.
func (c *Config) Certificates(log *slog.Logger) (*Certificates, error) {
	if c.CertFile == "" && c.KeyFile == "" && c.ClientCAFile == "" {
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return nil, errors.New("TLS needs both a certificate and its key")
	}
	certs := &Certificates{certFile: c.CertFile, keyFile: c.KeyFile, caFile: c.ClientCAFile, min: c.MinTLS, log: log, now: time.Now}
	if certs.min == 0 {
		certs.min = tls.VersionTLS13
	}
	certs.read = certs.stamps()
	var err error
	certs.current, err = certs.load()
	return certs, err
}

func (c *Certificates) askClients() bool { return c.caFile != "" }

// config returns a configuration that uses the current certificates for each connection.
func (c *Certificates) config() *tls.Config {
	config := c.base()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.latest(), nil }
	return config
}

func (c *Certificates) base() *tls.Config {
	// HTTP/2 is what gRPC speaks.
	return &tls.Config{MinVersion: c.min, NextProtos: []string{"h2", "http/1.1"}}
}

func (c *Certificates) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < reloadInterval {
		return c.current
	}
	c.checked = now
	stamps := c.stamps()
	if stamps == c.read {
		return c.current
	}
	fresh, err := c.load()
	if err != nil {
		// The files may be half written: they are looked at again.
		c.log.Error("cannot read the new certificates, the old ones stay in use", "error", err)
		return c.current
	}
	c.log.Info("read new certificates", "file", c.certFile)
	c.read, c.current = stamps, fresh
	return c.current
}

// stamps returns the zero stamp for files that cannot be read: load tells why.
func (c *Certificates) stamps() (stamps [3]stamp) {
	for i, name := range []string{c.certFile, c.keyFile, c.caFile} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

func (c *Certificates) load() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s: %w", c.certFile, err)
	}
	config := c.base()
	config.Certificates = []tls.Certificate{cert}
	if c.caFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities of clients: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", c.caFile)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}
