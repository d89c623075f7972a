package clickhouse

import (
	"embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Schema says how the tables are made. The zero value is for a single server.
type Schema struct {
	// Cluster is the name of the cluster whose servers all get the tables: named …_local there, with Distributed tables of the
	// usual names before them. Empty for a single server.
	Cluster string
	// Replicated makes the tables Replicated ones.
	Replicated bool
	// TTL is when ClickHouse itself deletes what is old, in whole days; 0 is never.
	TTL time.Duration
}

// schemaVersion is what this code makes, and the only version that it works with. Each version is a file in schema/.
const schemaVersion = 5

//go:embed schema/*.sql
var schemaFiles embed.FS

// Validate returns an error if tables cannot be made like that.
func (s Schema) Validate() error {
	if s.Cluster != "" && !regexp.MustCompile(`^[A-Za-z0-9_.{}-]+$`).MatchString(s.Cluster) {
		return fmt.Errorf("the name of the cluster is %q, want letters, digits, and _ . - { }", s.Cluster)
	}
	if s.TTL < 0 || s.TTL%(24*time.Hour) != 0 {
		return fmt.Errorf("the TTL is %v, want whole days", s.TTL)
	}
	return nil
}

// Statements returns what makes the tables of the version out of those of the version before, in order. Any of it may be done
// again.
func (s Schema) Statements(version int) ([]string, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("schema/%03d.sql", version)
	t, err := template.New("").Funcs(s.functions()).ParseFS(schemaFiles, name)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", version, err)
	}
	var text strings.Builder
	if err := t.ExecuteTemplate(&text, fmt.Sprintf("%03d.sql", version), s); err != nil {
		return nil, fmt.Errorf("schema %d: %w", version, err)
	}
	var statements []string
	for part := range strings.SplitSeq(text.String(), ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			statements = append(statements, part)
		}
	}
	return statements, nil
}

// moments are the tables that ClickHouse itself deletes from when there is a TTL, and when their rows are from.
var moments = map[string]string{
	"otel_traces": "toDateTime(Timestamp)", "otel_traces_trace_id_ts": "toDateTime(Start)",
	"otelprof_profile": "toDateTime(Minute * 60)", "otelprof_minutes": "toDateTime(Minute * 60)",
	"otelprof_hours": "toDateTime((Hour + 60) * 60)",
}

func (s Schema) ttl(table string) string {
	return fmt.Sprintf("TTL %s + toIntervalDay(%d)", moments[table], s.TTL/(24*time.Hour))
}

// ttlStatements return what gives tables that are there the TTL; nothing if there is none, for it may be set by hand.
func (s Schema) ttlStatements() (statements []string) {
	if s.TTL > 0 {
		for _, table := range slices.Sorted(maps.Keys(moments)) {
			statements = append(statements, "ALTER TABLE "+s.local(table)+s.on()+" MODIFY "+s.ttl(table))
		}
	}
	return statements
}

// local is the name of the table that has the data.
func (s Schema) local(name string) string {
	if s.Cluster != "" {
		return name + "_local"
	}
	return name
}

func (s Schema) on() string {
	if s.Cluster != "" {
		return " ON CLUSTER '" + s.Cluster + "'"
	}
	return ""
}

func (s Schema) functions() template.FuncMap {
	return template.FuncMap{
		"local": s.local,
		"on":    s.on,
		"engine": func(name string) string {
			if s.Replicated {
				return "Replicated" + name
			}
			return name
		},
		"ttl": func(name string) string {
			if s.TTL > 0 {
				return s.ttl(name) + "\n"
			}
			return ""
		},
		// window lets ClickHouse know the tokens of batches again.
		"window": func() string {
			if s.Replicated {
				return "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800"
			}
			return "non_replicated_deduplication_window = 10000"
		},
		// together is a sharding key that leads all rows of a table to one shard: a number of 0 as long as nothing is larger
		// than 2^63.
		"together": func(column string) string { return "intDiv(toUInt64(" + column + "), 9223372036854775808)" },
		// distributed makes the table before those of the servers.
		"distributed": func(name, key string) string {
			if s.Cluster == "" {
				return ""
			}
			return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s ON CLUSTER '%s' AS %s_local\nENGINE = Distributed('%s', currentDatabase(), '%s_local', %s);\n",
				name, s.Cluster, name, s.Cluster, name, key)
		},
	}
}
