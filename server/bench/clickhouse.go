package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// engineVariable names the ClickHouse to measure with: host:port of its native protocol.
const engineVariable = "OTELPROF_TEST_CLICKHOUSE"

// engine is the ClickHouse that OTELPROF_TEST_CLICKHOUSE names, with a database for one row.
type engine struct {
	driver.Conn
	database, url string
}

// startEngine makes a database.
func startEngine(ctx context.Context, address string) (*engine, error) {
	name := fmt.Sprintf("otelprof_bench_%d", os.Getpid())
	admin, err := clickhouse.Open(&clickhouse.Options{Addr: []string{address}})
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
		if err := admin.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{address}, Auth: clickhouse.Auth{Database: name}})
	if err != nil {
		return nil, err
	}
	return &engine{conn, name, "clickhouse://" + address + "/" + name}, nil
}

func (e *engine) stop(ctx context.Context) error {
	defer e.Close()
	return e.Exec(ctx, "DROP DATABASE "+e.database)
}

// waitFor waits until the table has the spans.
func (e *engine) waitFor(ctx context.Context, spans int) error {
	for range 2400 {
		var n uint64
		if err := e.QueryRow(ctx, "SELECT count() FROM otel_traces").Scan(&n); err != nil {
			return err
		}
		if n >= uint64(spans) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("ClickHouse does not have all of %d spans after two minutes", spans)
}

// bytes returns how much the tables take, as they are now: merges make it less.
func (e *engine) bytes(ctx context.Context) (float64, error) {
	var n uint64
	err := e.QueryRow(ctx, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()").Scan(&n)
	return float64(n), err
}
