// Command otelprof receives OpenTelemetry spans of any language, and turns them into an exact profile and durable traces.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/stichotrope/stichotrope-go/server/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Process{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environment: os.Environ(),
	})
	stop()
	os.Exit(code)
}
