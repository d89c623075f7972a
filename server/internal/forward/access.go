package forward

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"google.golang.org/grpc/metadata"
)

// Access is what the other end asks for. It holds secrets: no value of it is in an error or in the log.
type Access struct {
	// Headers are sent with every request: name=value, separated by commas, values percent-encoded where need be, as in
	// OTEL_EXPORTER_OTLP_HEADERS.
	Headers string
	// Token is sent as a bearer token, over TLS or on this machine alone.
	Token string
	// CAFile are the authorities that the other end's certificate is checked by, in PEM; empty for those of the system.
	// CertFile and KeyFile are our own certificate, for an end that asks for one.
	CAFile, CertFile, KeyFile string
}

// secrets are what an Access stands for.
type secrets struct {
	header http.Header
	tls    *tls.Config
}

func (a *Access) load(to *url.URL) (*secrets, error) {
	header, err := parseHeaders(a.Headers)
	if err != nil {
		return nil, err
	}
	if a.Token != "" {
		if err := setHeader(header, "Authorization", "Bearer "+a.Token); err != nil {
			return nil, err
		}
	}
	plain := to.Scheme == "http" || to.Scheme == "grpc"
	if plain && (header.Get("Authorization") != "" || to.User != nil) && !isLocal(to.Hostname()) {
		return nil, errors.New("a token or password would be sent without TLS: use https or grpcs")
	}
	if to.User != nil && (to.Scheme == "grpc" || to.Scheme == "grpcs") {
		return nil, errors.New("gRPC has no user and password in the URL: give a header or a token")
	}
	if plain && a.CAFile+a.CertFile+a.KeyFile != "" {
		return nil, errors.New("certificates are of use with https and grpcs only")
	}
	config, err := a.tls()
	return &secrets{header, config}, err
}

// tls returns how to speak TLS.
func (a *Access) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CAFile != "" {
		pem, err := os.ReadFile(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file %s has no certificates", a.CAFile)
		}
	}
	if (a.CertFile == "") != (a.KeyFile == "") {
		return nil, errors.New("a client certificate needs both a certificate and its key")
	}
	if a.CertFile != "" {
		own, err := tls.LoadX509KeyPair(a.CertFile, a.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// metadata returns the headers as gRPC has them.
func (s *secrets) metadata() metadata.MD {
	md := metadata.MD{}
	for name, values := range s.header {
		md.Set(name, values...)
	}
	return md
}

func parseHeaders(text string) (http.Header, error) {
	header := http.Header{}
	for i, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil {
			return nil, fmt.Errorf("header %d is not name=value, with the value percent-encoded", i+1)
		}
		if err := setHeader(header, strings.TrimSpace(name), value); err != nil {
			return nil, err
		}
	}
	return header, nil
}

const tokenSigns = "!#$%&'*+-.^_`|~"

// setHeader sets a header, if it is a possible one and not one of OTLP's own.
func setHeader(header http.Header, name, value string) error {
	bad := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune(tokenSigns, r)
	}
	lower := strings.ToLower(name)
	switch {
	case name == "" || strings.ContainsFunc(name, bad):
		return errors.New("a header has no name, or one that is not possible")
	case strings.HasPrefix(lower, "content-"), strings.HasPrefix(lower, "grpc-"), lower == "te", lower == "host", lower == "connection", lower == "transfer-encoding":
		return fmt.Errorf("the header %s cannot be set", lower)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("the value of the header %s has characters that are not printable ASCII", lower)
	}
	header.Set(name, value)
	return nil
}

func isLocal(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Redacted returns a URL without its password.
func Redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "an address that is none"
	}
	return u.Redacted()
}

// withoutURL returns what is wrong with a URL, without the URL itself.
func withoutURL(err error) error {
	var wrong *url.Error
	if errors.As(err, &wrong) {
		return errors.New("it cannot be read as one")
	}
	return err
}
