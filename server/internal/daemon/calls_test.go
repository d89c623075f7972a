package daemon

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/apiv3"
)

func TestCallsOfJaegersAPIsAreCounted(t *testing.T) {
	d := startTest(t, testConfig())
	conn, err := grpc.NewClient(strings.TrimPrefix(d.url(t, "jaeger_grpc"), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	client := apiv3.NewQueryServiceClient(conn)
	for range 2 {
		_, err = client.GetServices(t.Context(), &apiv3.GetServicesRequest{})
		require.NoError(t, err)
	}
	stream, err := client.GetTrace(t.Context(), &apiv3.GetTraceRequest{TraceId: "bad"})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NotEqual(t, codes.OK, status.Code(err))
	_, page := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/metrics", nil))
	line := func(code codes.Code, method string, n int) string {
		return fmt.Sprintf(`otelprof_grpc_calls_total{code="%v",rpc_method="%s",rpc_service="jaeger.api_v3.QueryService"} %d`, code, method, n)
	}
	require.Contains(t, string(page), line(codes.OK, "GetServices", 2))
	require.Contains(t, string(page), line(status.Code(err), "GetTrace", 1))
}
