package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/forward"
	"github.com/stichotrope/stichotrope-go/server/internal/listen"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
)

// The stores to choose from.
const (
	StorePebble     = "pebble"     // spans and profiles on disk
	StoreClickHouse = "clickhouse" // spans and profiles in ClickHouse, for several nodes; a queue on disk
	StoreMemory     = "memory"     // spans and profiles in memory, gone with the process
	StoreNone       = "none"       // profiles in memory, no spans
)

// Config says what to start.
type Config struct {
	// Store is one of the stores above; Data is the folder of StorePebble, and of the queue of StoreClickHouse.
	Store, Data string
	// ClickHouse is where StoreClickHouse is. Its Dir, Logger and Complete are set by Start.
	ClickHouse clickhouse.Options
	// LeaveScattered switches off that nodes complete traces whose spans reached several of them. It must be the same on all.
	LeaveScattered bool
	// The addresses to listen on, host:port; an empty one is left out.
	OTLPGRPC, OTLPHTTP string
	// HTTP has the page, the API, Jaeger's HTTP API and the metrics.
	HTTP string
	// JaegerGRPC has api_v3.QueryService, JaegerStorage remote storage v2.
	JaegerGRPC, JaegerStorage string
	// JaegerUI is where a Jaeger's page is, to which the page here links traces; empty for none.
	JaegerUI string
	// Listen says how: TLS, tokens, hosts.
	Listen listen.Config
	// SpanMetrics are the families of span metrics that /metrics has, see metrics.Families.
	SpanMetrics []string
	// Forward says where requests go onward; with an empty URL nowhere. Its Log is set by Start.
	Forward forward.Config
	// Debug adds /debug/otelprof/, the profile of the server itself, and /debug/pprof/.
	Debug bool
	// Receiver bounds requests, Pipeline says how traces are assembled and kept. Its Store and Log are set by Start.
	Receiver receiver.Limits
	Pipeline pipeline.Config
	// QueryTime bounds a question over any of the APIs, AnswerBytes an answer over HTTP; see api.Options. ProfileStates and
	// ProfileSize bound what is remembered of processes that send their profiles as metrics, see profiles.Options. Zero
	// values mean the defaults.
	QueryTime                  time.Duration
	AnswerBytes                int
	ProfileStates, ProfileSize int
	// StopTime is how long Stop may take to end what is under way.
	StopTime time.Duration
	// Version is shown to users.
	Version string
	Log     *slog.Logger
}

func (c *Config) validate() error {
	switch c.Store {
	case StorePebble, StoreClickHouse, StoreMemory, StoreNone:
	default:
		return fmt.Errorf("store is %q, want %s, %s, %s or %s", c.Store, StorePebble, StoreClickHouse, StoreMemory, StoreNone)
	}
	if (c.Store == StorePebble || c.Store == StoreClickHouse) && c.Data == "" {
		return fmt.Errorf("store %s needs a folder for its data", c.Store)
	}
	if c.Store == StoreClickHouse {
		if err := errors.Join(clickhouse.CheckURL(c.ClickHouse.URL), c.ClickHouse.Schema.Validate()); err != nil {
			return err
		}
	}
	if c.QueryTime < 0 || c.AnswerBytes < 0 || c.ProfileStates < 0 || c.ProfileSize < 0 || c.Listen.Connections < 0 {
		return errors.New("a limit is negative")
	}
	if err := c.Receiver.Validate(); err != nil {
		return err
	}
	if c.JaegerUI != "" {
		if u, err := url.Parse(c.JaegerUI); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("the address of Jaeger's page is %q, want http://HOST:PORT or https://HOST/PATH", c.JaegerUI)
		}
	}
	return nil
}
