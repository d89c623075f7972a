package listen

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how to listen. The zero value listens on the address without TLS, as loopback allows.
type Config struct {
	// CertFile and KeyFile are the server's certificate, in PEM; with them all listeners speak TLS. ClientCAFile are the
	// authorities whose clients alone may connect.
	CertFile, KeyFile, ClientCAFile string
	// MinTLS is the oldest version of TLS that is spoken; 0 is TLS 1.3.
	MinTLS uint16
	// Tokens are the bearer tokens, one of which every request must have; none are asked for if it is empty.
	Tokens []string
	// Hosts are the names under which the server may be addressed, beside addresses and localhost, without ports: pages of
	// other sites cannot make a browser send requests here under a name of theirs. "*" allows every name.
	Hosts []string
	// Insecure allows to listen where other machines can connect without TLS or without tokens and client certificates.
	Insecure bool
	// Connections bounds those that are open at once on each listener; 0 is 4096. What comes above it is closed at once.
	Connections int
}

// ErrInsecure is why a Config is refused.
var ErrInsecure = errors.New("refused to listen where other machines can connect without TLS and authentication")

// Counters tell what a Listener has done. Open is how many connections are open now; the others only grow. TimedOut is how
// many were waited for in vain: a read deadline passed.
type Counters struct {
	Open, Accepted, Refused, TimedOut atomic.Int64
}

// Listener is a net.Listener whose connections are counted and, if so configured, speak TLS.
type Listener struct {
	net.Listener
	Counters Counters

	most int64
	tls  *tls.Config
}

// Open listens on an address such as 127.0.0.1:4318. The certificates are those of files, which may be nil for none; see
// Certificates.
func (c *Config) Open(ctx context.Context, address string, certificates *Certificates) (*Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	// What the address stands for is known best now.
	if err := c.allow(l.Addr(), certificates); err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", address, err), l.Close())
	}
	most := int64(c.Connections)
	if most == 0 {
		most = 4096
	}
	opened := &Listener{Listener: l, most: most}
	if certificates != nil {
		opened.tls = certificates.config()
	}
	return opened, nil
}

func (c *Config) allow(address net.Addr, certificates *Certificates) error {
	tcp, ok := address.(*net.TCPAddr)
	safe := certificates != nil && (len(c.Tokens) > 0 || certificates.askClients())
	if c.Insecure || safe || ok && tcp.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%w: give a certificate and tokens or client certificates, or an address such as 127.0.0.1, or allow it explicitly", ErrInsecure)
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.Counters.Open.Add(1) > l.most {
			l.Counters.Open.Add(-1)
			l.Counters.Refused.Add(1)
			// It was never used: nobody is interested in what goes wrong.
			_ = c.Close()
			continue
		}
		l.Counters.Accepted.Add(1)
		counted := &conn{Conn: c, counters: &l.Counters}
		if l.tls != nil {
			return tls.Server(counted, l.tls), nil
		}
		return &buffered{conn: counted}, nil
	}
}

// conn is counted as open until it is closed.
type conn struct {
	net.Conn
	counters       *Counters
	once, timedOut sync.Once
	// woken: the deadline was set to the past, which is how net/http ends a read that it does not need any more.
	woken atomic.Bool
}

func (c *conn) Close() error {
	c.once.Do(func() { c.counters.Open.Add(-1) })
	return c.Conn.Close()
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.woken.Store(!t.IsZero() && time.Until(t) < 0)
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.woken.Load() {
		c.timedOut.Do(func() { c.counters.TimedOut.Add(1) })
	}
	return n, err
}

// buffered reads more at once than it is asked for: net/http reads the header of each frame of HTTP/2 by itself, which
// would be two system calls for each. TLS does the same for what it decrypts.
type buffered struct {
	*conn
	reader *bufio.Reader
}

// bufferBytes is a little more than two frames of the size that clients send.
const bufferBytes = 33 << 10

func (b *buffered) Read(p []byte) (int, error) {
	if b.reader == nil {
		// Only now: idle connections need none.
		b.reader = bufio.NewReaderSize(b.conn, bufferBytes)
	}
	return b.reader.Read(p)
}
