package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stichotrope/stichotrope-go/server/internal/listen"
)

// readyBytes bounds what is read of the answer.
const readyBytes = 64 << 10

func newReady(p Process) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "ready [URL]",
		Short: "Ask a server whether it can take spans",
		Long: `Ask a server whether it can take spans. The exit code is 0 if it can, else 1: for containers whose image has no other program.
Where serve has its bearer tokens from OTELPROF_TOKEN or OTELPROF_TOKEN_FILE, so has this.

  otelprof ready
  otelprof ready http://127.0.0.1:4319`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server := "http://127.0.0.1:4319"
			if len(args) > 0 {
				server = args[0]
			}
			tokens, err := listen.TokensFrom(p.variable("OTELPROF_TOKEN_FILE"), p.variable("OTELPROF_TOKEN"))
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			return askReady(ctx, server, tokens)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long the answer may take")
	return c // not withConfig: around it are the variables of serve
}

// askReady returns an error if the server is not ready.
func askReady(ctx context.Context, server string, tokens []string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(server, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	if len(tokens) > 0 {
		request.Header.Set("Authorization", "Bearer "+tokens[0])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, readyBytes))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s is not ready: %s: %s", server, response.Status, strings.TrimSpace(string(answer)))
	}
	return err
}
