package daemon

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestForwardsToAnotherServer(t *testing.T) {
	for _, scheme := range []string{"http", "grpc"} {
		t.Run(scheme, func(t *testing.T) {
			behind := startTest(t, testConfig())
			c := testConfig()
			c.Forward.URL = scheme + strings.TrimPrefix(behind.url(t, "otlp_"+scheme), "http")
			front, err := Start(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, front.send(t, spans(t, "shop", "GET /")))
			require.Equal(t, http.StatusBadRequest, front.send(t, []byte("\xff")), "what is not taken goes nowhere")
			require.NoError(t, front.Stop(), "it is sent before the end")
			require.EqualValues(t, 1, front.forwarder.Counters.Forwarded.Load())
			require.EqualValues(t, 1, behind.pipeline.Counters().Received)
			require.EqualValues(t, 1, front.pipeline.Counters().Received)
		})
	}
}

func TestForwardToNobodyHoldsNothingUp(t *testing.T) {
	gone := startTest(t, testConfig())
	c := testConfig()
	c.Forward.URL = gone.url(t, "otlp_http")
	require.NoError(t, gone.Stop())
	c.StopTime = 2 * time.Second
	front, err := Start(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, front.send(t, spans(t, "shop", "GET /")))
	require.ErrorContains(t, front.Stop(), "1 requests were not forwarded")
	require.EqualValues(t, 1, front.pipeline.Counters().Commits, "the pipeline is closed first")
}

func TestForwardToItselfIsRefused(t *testing.T) {
	c := testConfig()
	c.OTLPHTTP = freeAddress(t)
	c.Forward.URL = "http://localhost:" + c.OTLPHTTP[strings.LastIndex(c.OTLPHTTP, ":")+1:]
	_, err := Start(t.Context(), c)
	require.ErrorContains(t, err, "is this server itself")
}
