package clickhouse

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Options of a store. URL and Dir are needed; the zero value of all others means the default.
type Options struct {
	// URL is where ClickHouse is, as its Go driver has it: clickhouse://user:password@host:9000/database?secure=true. Several
	// hosts are separated by commas. It is a secret, and in no message. Its read_timeout is not for batches of spans, for which
	// Timeout is.
	URL string
	// Dir is the directory of the queue. Nobody else may use it.
	Dir string
	// QueueBytes is how much may wait for ClickHouse on the disk: 16 GiB by default. What is over it is refused with
	// store.ErrFull.
	QueueBytes int64
	// ReserveBytes is how much room must be left on the disk, see pebblestore.Options.
	ReserveBytes int64
	// Schema says how tables are made that are not there.
	Schema Schema
	// KeepSchema leaves the tables to somebody else: if they are not of this version, Open fails.
	KeepSchema bool
	// RetainSlack is by how much spans may outlive the retention, before rows of a day are deleted of which others stay: that
	// rewrites what stays. One hour by default, negative for none.
	RetainSlack time.Duration
	// Timeout is how long an answer of ClickHouse may take when a parcel is sent: one minute by default.
	Timeout time.Duration
	// QueryTime is how long a query may take: one minute by default. Nothing is sent meanwhile.
	QueryTime time.Duration
	// CloseTime is how long Close tries to send what waits: 5 s by default, negative for not at all.
	CloseTime time.Duration
	// Complete counts traces again that were filed in parts. Nil switches that off; then no part may be withheld.
	Complete store.Completer
	// CompleteEvery is how often a node looks for such traces, or whether it has to: 10 s by default, negative for never.
	// CompleteGrace is how long the other parts of a trace have to arrive: 30 s by default, negative for none.
	CompleteEvery, CompleteGrace time.Duration
	// CompleteSpans is about how many spans are completed at once, which are in memory: 50 000 by default.
	CompleteSpans int
	// Logger gets what operators should know; nil for slog.Default().
	Logger *slog.Logger
	// Now is the clock for snapshots and for the order of segments; nil for time.Now.
	Now func() time.Time
}

const (
	defaultQueue     = 16 << 30
	defaultSlack     = time.Hour
	defaultTimeout   = time.Minute
	defaultCloseTime = 5 * time.Second
	defaultEvery     = 10 * time.Second
	defaultGrace     = 30 * time.Second
	defaultSpans     = 50_000
)

func (o *Options) setDefaults() {
	if o.QueueBytes <= 0 {
		o.QueueBytes = defaultQueue
	}
	if o.RetainSlack == 0 {
		o.RetainSlack = defaultSlack
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.QueryTime <= 0 {
		o.QueryTime = defaultTimeout
	}
	if o.CloseTime == 0 {
		o.CloseTime = defaultCloseTime
	}
	if o.CompleteEvery == 0 {
		o.CompleteEvery = defaultEvery
	}
	if o.CompleteGrace == 0 {
		o.CompleteGrace = defaultGrace
	}
	if o.CompleteSpans <= 0 {
		o.CompleteSpans = defaultSpans
	}
	o.CompleteGrace = max(o.CompleteGrace, 0)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// CheckURL says what is wrong with the URL of a ClickHouse, without showing it.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// parseURL reads the address. The driver's errors are not passed on: they show the URL, which has the password.
func parseURL(text string) (*clickhouse.Options, error) {
	if text == "" {
		return nil, errors.New("the URL of ClickHouse is missing, such as clickhouse://user:password@host:9000/database")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the URL of ClickHouse cannot be read, want clickhouse://user:password@host:9000/database")
	}
	switch u.Scheme {
	case "clickhouse", "tcp", "native":
	default:
		return nil, fmt.Errorf("the URL of ClickHouse begins with %q, want clickhouse://", u.Scheme)
	}
	o, err := clickhouse.ParseDSN(text)
	if err != nil {
		return nil, errors.New("the URL of ClickHouse has settings that its driver does not know, " +
			"want clickhouse://user:password@host:9000/database?secure=true")
	}
	if o.Compression == nil {
		o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	if u.Query().Get("dial_timeout") == "" {
		o.DialTimeout = 5 * time.Second
	}
	return o, nil
}
