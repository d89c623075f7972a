package cli

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/stichotrope/stichotrope-go/server/internal/profiles/profilestest"
)

// asJSON turns requests into lines of JSON, as the Collector's file exporter writes them.
func asJSON(t *testing.T, requests [][]byte, metrics bool) (lines []byte) {
	for _, request := range requests {
		var line []byte
		if metrics {
			read, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(request)
			require.NoError(t, err)
			line, err = (&pmetric.JSONMarshaler{}).MarshalMetrics(read)
			require.NoError(t, err)
		} else {
			read, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
			require.NoError(t, err)
			line, err = (&ptrace.JSONMarshaler{}).MarshalTraces(read)
			require.NoError(t, err)
		}
		lines = append(append(lines, line...), '\n')
	}
	return lines
}

// framed puts the length before each request, as the Collector's file exporter does with protobuf.
func framed(requests [][]byte) (all []byte) {
	for _, request := range requests {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(request))), request...)
	}
	return all
}

func TestReportOfProfilesInFilesCountsThemAsProfiles(t *testing.T) {
	for _, temporality := range []metricdata.Temporality{metricdata.DeltaTemporality, metricdata.CumulativeTemporality} {
		p := profilestest.New(t, 8, temporality)
		metrics := [][]byte{p.Work(), p.Work(), p.Work()}
		spans := profilestest.Spans(t, p.Snapshot())
		for name, file := range map[string][]byte{
			"metrics.jsonl": asJSON(t, metrics, true), "metrics.pb": framed(metrics),
			"spans.jsonl": asJSON(t, spans, false), "spans.pb": framed(spans),
		} {
			t.Run(temporality.String()+" "+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), name)
				require.NoError(t, os.WriteFile(path, file, 0o600))
				code, out, errs := run(t, "", "report", "--format", "csv", path)
				require.Zero(t, code, errs)
				require.Empty(t, errs)
				rows := strings.Split(strings.TrimSpace(out), "\n")[1:]
				require.Len(t, rows, 2, out)
				for _, b := range p.Snapshot().Blocks {
					require.Contains(t, out, b.Site.Name)
					require.Contains(t, out, ","+strconv.FormatUint(b.Stats.Count, 10)+","+strconv.FormatUint(b.Stats.Errors, 10)+",", b.Site.Name)
					require.Contains(t, out, strconv.FormatUint(b.Stats.Total, 10)+","+strconv.FormatUint(b.Stats.Self, 10))
				}
			})
		}
	}
}
