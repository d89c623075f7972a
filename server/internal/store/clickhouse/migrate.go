package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// versions keeps which versions of the schema were made. Several nodes may make the same at the same time: every statement does
// nothing where it was done before, and the version is noted last.
const versions = "otelprof_schema"

// versionTable makes the table of the versions. In a cluster, one that all servers have a replica of.
func (s Schema) versionTable() string {
	engine := "ReplacingMergeTree"
	switch {
	case s.Replicated && s.Cluster != "":
		// One path for all shards: every server must know the version.
		engine = "ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/" + versions + "', '{shard}-{replica}')"
	case s.Replicated:
		engine = "ReplicatedReplacingMergeTree"
	}
	return "CREATE TABLE IF NOT EXISTS " + versions + s.on() + " (\n    Version UInt32,\n    Made DateTime DEFAULT now()\n) ENGINE = " +
		engine + "\nORDER BY Version"
}

// Script returns all statements that make the tables in an empty database, each with a semicolon.
func (s Schema) Script() (string, error) {
	script := s.versionTable() + ";\n"
	for v := 1; v <= schemaVersion; v++ {
		statements, err := s.Statements(v)
		if err != nil {
			return "", err
		}
		for _, statement := range statements {
			script += "\n" + statement + ";\n"
		}
		script += fmt.Sprintf("\n%s;\n", noteVersion(v))
	}
	return script, nil
}

func noteVersion(v int) string {
	return fmt.Sprintf("INSERT INTO %s (Version) VALUES (%d)", versions, v)
}

// ErrSchema: the tables are not of the version that this program works with.
var ErrSchema = errors.New("the tables in ClickHouse do not fit")

// foundVersion returns which version the tables are of, 0 if there is none.
func foundVersion(ctx context.Context, conn driver.Conn) (int, error) {
	var exists uint8
	if err := conn.QueryRow(ctx, "EXISTS TABLE "+versions).Scan(&exists); err != nil {
		return 0, err
	}
	if exists == 0 {
		return 0, nil
	}
	var version uint32
	err := conn.QueryRow(ctx, "SELECT max(Version) FROM "+versions).Scan(&version)
	return int(version), err
}

// checkVersion returns an error unless the tables are those of this version.
func checkVersion(found int) error {
	switch {
	case found > schemaVersion:
		return fmt.Errorf("%w: they have version %d, this version of otelprof knows %d: use a newer otelprof, or another database",
			ErrSchema, found, schemaVersion)
	case found < schemaVersion:
		return fmt.Errorf("%w: they have version %d, this version of otelprof needs %d: run otelprof clickhouse schema --apply",
			ErrSchema, found, schemaVersion)
	}
	return nil
}

// migrate makes the tables, or what is new of them.
func migrate(ctx context.Context, conn driver.Conn, s Schema) error {
	found, err := foundVersion(ctx, conn)
	if err != nil {
		return err
	}
	if found > schemaVersion {
		return checkVersion(found)
	}
	if found == schemaVersion {
		return nil
	}
	if err := s.exec(ctx, conn, s.versionTable()); err != nil {
		return fmt.Errorf("making %s: %w", versions, err)
	}
	for v := found + 1; v <= schemaVersion; v++ {
		statements, err := s.Statements(v)
		if err != nil {
			return err
		}
		for _, statement := range append(statements, noteVersion(v)) {
			if err := s.exec(ctx, conn, statement); err != nil {
				return fmt.Errorf("schema %d: %w", v, err)
			}
		}
	}
	return nil
}

// How long a statement of a migration may take, which changes no data, before it is given again. In a cluster it waits for all
// servers, by default up to three minutes.
const (
	statementTime        = 30 * time.Second
	statementTimeCluster = 4 * time.Minute
	statementTries       = 3
)

// exec executes a statement of a migration. One whose answer does not come is given again: an engine was seen to lose one of
// several that came at the same time, and every statement does nothing where it was done before.
func (s Schema) exec(ctx context.Context, conn driver.Conn, statement string) error {
	patience := statementTime
	if s.Cluster != "" {
		patience = statementTimeCluster
	}
	var err error
	for range statementTries {
		until := time.Now().Add(patience)
		once, cancel := context.WithDeadline(ctx, until)
		err = execAlone(once, conn, statement)
		cancel()
		if err == nil || ctx.Err() != nil || time.Now().Before(until) {
			return err
		}
	}
	return err
}

// alterPause is how long to wait for a replica to apply what another node changed.
const alterPause = time.Second

// execAlone executes a statement, and gives it again as long as a replica has not applied an earlier one, as happens when several
// nodes start at once.
func execAlone(ctx context.Context, conn driver.Conn, statement string) error {
	for {
		err := conn.Exec(ctx, statement)
		if exception, refused := refusal(err); !refused || exception.Code != codeOtherAlter {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(alterPause):
		}
	}
}

// Migrate makes the tables in a database, or what is new of them, and gives them the TTL if there is one. Several may do it at the
// same time.
func Migrate(ctx context.Context, url string, s Schema) (err error) {
	o, err := parseURL(url)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(o)
	if err != nil {
		return explain(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := migrate(ctx, conn, s); err != nil {
		return explain(err)
	}
	for _, statement := range s.ttlStatements() {
		if err := s.exec(ctx, conn, statement); err != nil {
			return fmt.Errorf("the TTL: %w", explain(err))
		}
	}
	return nil
}
