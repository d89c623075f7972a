package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Codes of ClickHouse's errors.
const (
	codeUnknownDatabase = 81
	codeTooSlow         = 159
	codeReadOnly        = 164
	codeUnknownUser     = 192
	codeWrongPassword   = 193
	codeTableReadOnly   = 242
	codeNotEnoughSpace  = 243
	codeAccessDenied    = 497
	codeAuthentication  = 516
	codeOtherAlter      = 517
)

// refusal returns the error that ClickHouse answered with.
func refusal(err error) (*clickhouse.Exception, bool) {
	var exception *clickhouse.Exception
	ok := errors.As(err, &exception)
	return exception, ok
}

// passes reports whether an error may be gone the next time without anybody doing anything: ClickHouse does not answer.
func passes(err error) bool {
	_, refused := refusal(err)
	return !refused && !errors.Is(err, ErrSchema)
}

// explain adds to an error what it means. No error of the driver's shows the URL.
func explain(err error) error {
	if err == nil || errors.Is(err, ErrSchema) {
		return err
	}
	exception, refused := refusal(err)
	if errors.Is(err, context.DeadlineExceeded) || refused && exception.Code == codeTooSlow {
		return fmt.Errorf("ClickHouse takes too long: %w", err)
	}
	if !refused && strings.Contains(err.Error(), "[handshake] unexpected packet") {
		return fmt.Errorf("what answers is not the native protocol of ClickHouse: correct the port, which is 9000 as a rule, or 9440 with ?secure=true: %w", err)
	}
	if !refused {
		return fmt.Errorf("ClickHouse %w: %w", store.ErrAway, err)
	}
	switch exception.Code {
	case codeUnknownUser, codeWrongPassword, codeAuthentication:
		return fmt.Errorf("ClickHouse knows no such user and password: correct them in --clickhouse or OTELPROF_CLICKHOUSE: %w", err)
	case codeUnknownDatabase:
		return fmt.Errorf("there is no such database in ClickHouse: create it, or correct the URL: %w", err)
	case codeReadOnly, codeTableReadOnly:
		return fmt.Errorf("ClickHouse may be read only: the user needs to write, and a replicated table its Keeper: %w", err)
	case codeNotEnoughSpace:
		return fmt.Errorf("the disk of ClickHouse is full: %w", err)
	case codeAccessDenied:
		return fmt.Errorf("the user of ClickHouse may not do this: it needs SELECT, INSERT, ALTER and CREATE in its database: %w", err)
	}
	return fmt.Errorf("ClickHouse refuses: %w", err)
}
