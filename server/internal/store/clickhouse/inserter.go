package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// inserter inserts spans over a connection of its own, with the low-level client on which the driver is built: the driver takes
// values one by one, which is most of what a span would cost. It is made from the driver's options and has the same errors. Its
// zero value with options is ready; it connects when it has to.
type inserter struct {
	options *clickhouse.Options
	// mu guards what follows.
	mu        sync.Mutex
	client    *ch.Client
	connected time.Time
	dials     int
	// buffer has a batch as it is sent.
	buffer proto.Buffer
}

// insert sends rows as one batch. sent tells whether any may have arrived.
func (i *inserter) insert(ctx context.Context, query string, input proto.Input, settings clickhouse.Settings) (sent bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	used, err := i.connect(ctx)
	if err != nil {
		return false, asDriver(ctx, err)
	}
	input = append(proto.Input(nil), input...)
	input[0].Data = watched{input[0].Data, &sent}
	q := ch.Query{Body: query, Input: input, Settings: chSettings(ctx, i.options.Settings, settings)}
	err = i.do(ctx, q)
	if err != nil && used && !sent && !ch.IsException(err) && ctx.Err() == nil {
		// ClickHouse closes connections that nobody uses, and may have been started anew.
		i.disconnect()
		if _, err = i.connect(ctx); err == nil {
			err = i.do(ctx, q)
		}
	}
	if err != nil || cap(i.buffer.Buf) > maxKept {
		i.disconnect()
	}
	return sent, asDriver(ctx, err)
}

// do sends a query, and closes the connection when the context ends: nothing else interrupts an answer that does not come.
func (i *inserter) do(ctx context.Context, q ch.Query) error {
	client := i.client
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	return client.Do(ctx, q)
}

// maxKept is how many bytes of a batch as it is sent are kept for the next one.
const maxKept = 64 << 20

// watched is a column that notes that it is about to be sent.
type watched struct {
	proto.ColInput
	sent *bool
}

// EncodeColumn implements proto.ColInput.
func (c watched) EncodeColumn(b *proto.Buffer) {
	*c.sent = true
	c.ColInput.EncodeColumn(b)
}

// WriteColumn implements proto.ColInput.
func (c watched) WriteColumn(w *proto.Writer) {
	*c.sent = true
	c.ColInput.WriteColumn(w)
}

// connect sees to it that there is a connection, and tells whether it was used before.
func (i *inserter) connect(ctx context.Context) (used bool, err error) {
	lifetime := i.options.ConnMaxLifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	if i.client != nil && !i.client.IsClosed() && time.Since(i.connected) < lifetime {
		return true, nil
	}
	i.disconnect()
	i.dials++
	random := rand.IntN(len(i.options.Addr))
	for n := range i.options.Addr {
		switch i.options.ConnOpenStrategy {
		case clickhouse.ConnOpenRoundRobin:
			n = (i.dials + n) % len(i.options.Addr)
		case clickhouse.ConnOpenRandom:
			n = (random + n) % len(i.options.Addr)
		}
		if i.client, err = i.dial(ctx, i.options.Addr[n]); err == nil {
			i.connected = time.Now()
			return false, nil
		}
	}
	return false, err
}

func (i *inserter) dial(ctx context.Context, address string) (*ch.Client, error) {
	o := i.options
	dialer := &net.Dialer{Timeout: o.DialTimeout}
	dial := dialer.DialContext
	if o.TLS != nil {
		dial = (&tls.Dialer{NetDialer: dialer, Config: o.TLS}).DialContext
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	client, err := ch.ConnectWithBuffer(ctx, conn, ch.Options{
		Database: o.Auth.Database, User: o.Auth.Username, Password: o.Auth.Password, ClientName: clientName(o),
		Compression: compressions[o.Compression.Method], CompressionLevel: ch.CompressionLevel(o.Compression.Level),
		ReadTimeout: ch.NoTimeout, // that of the context
	}, &i.buffer)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return client, nil
}

func clientName(o *clickhouse.Options) string {
	name := []string{"otelprof"}
	for _, p := range o.ClientInfo.Products {
		name = append(name, p.Name+"/"+p.Version)
	}
	return strings.Join(name, " ")
}

// compressions are those of the native protocol; without one, data are sent as they are.
var compressions = map[clickhouse.CompressionMethod]ch.Compression{
	clickhouse.CompressionLZ4: ch.CompressionLZ4, clickhouse.CompressionLZ4HC: ch.CompressionLZ4HC, clickhouse.CompressionZSTD: ch.CompressionZSTD,
}

// disconnect closes the connection and frees its memory.
func (i *inserter) disconnect() {
	if i.client != nil {
		_ = i.client.Close() // it may be closed already
	}
	i.client, i.buffer = nil, proto.Buffer{}
}

func (i *inserter) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.disconnect()
}

// chSettings returns settings as the driver would send them: those of all queries, those of this one, and until when ClickHouse
// need not go on, which nobody would wait for.
func chSettings(ctx context.Context, lists ...clickhouse.Settings) []ch.Setting {
	var all []ch.Setting
	for _, list := range lists {
		for key, value := range list {
			all = append(all, ch.Setting{Key: key, Value: fmt.Sprint(value), Important: true})
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline).Seconds(); left > 1 {
			all = append(all, ch.SettingInt("max_execution_time", int(left+5)))
		}
	}
	return all
}

// asDriver returns an error as the driver would.
func asDriver(ctx context.Context, err error) error {
	if exception, ok := ch.AsException(err); ok {
		return &clickhouse.Exception{
			Code: int32(exception.Code), Name: exception.Name, Message: exception.Message, StackTrace: exception.Stack,
		}
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
