package archtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/internal/archtest"
)

const (
	library = "github.com/stichotrope/stichotrope-go"
	pebble  = "github.com/cockroachdb/pebble/v2"
	cobra   = "github.com/spf13/cobra"
	prom    = "github.com/prometheus/client_golang"
)

// layer is a folder below internal with the others that it may import.
func layer(folder, why string, own ...string) archtest.Layer {
	l := archtest.Layer{Folder: "internal/" + folder, Why: why, External: everywhere}
	for _, o := range own {
		l.Own = append(l.Own, "internal/"+o)
	}
	return l
}

// everywhere is what all packages may import from elsewhere; heavy things have bans.
var everywhere = []string{"github.com", "go.opentelemetry.io", "google.golang.org", "golang.org", "go.yaml.in"}

// rules are the architecture of this module.
var rules = archtest.Rules{
	Module: library + "/server",
	Layers: []archtest.Layer{
		layer("otlp", "the bytes of OTLP stand below all"),
		layer("assembly", "to find parents and times takes spans alone"),
		layer("store", "an engine keeps what it is given, and knows nobody who gives or asks", "otlp"),
		layer("pipeline", "what is on its way goes to any store, and does not know who sends", "otlp", "assembly", "store", "buffer"),
		layer("profiles", "a profile becomes spans, and any sink takes those; its test helpers need a receiver", "otlp", "receiver"),
		layer("buffer", "memory stands below all that needs it"),
		layer("receiver", "the protocols hand bytes to a Sink, and know nothing of what becomes of them", "otlp", "buffer"),
		layer("query", "questions are asked to a store.Reader: what has the answer is not known", "otlp", "assembly", "store"),
		layer("api", "a way to ask questions: the others do not exist for it", "assembly", "query", "store"),
		layer("jaeger", "a way to ask questions: the others do not exist for it", "otlp", "query", "store"),
		layer("metrics", "figures are handed to it by functions"),
		layer("listen", "listening knows nothing of what is served"),
		layer("forward", "bytes go onward as they are"),
		layer("web", "the page is files; it asks over HTTP"),
		layer("config", "settings belong to commands"),
		layer("demo", "traffic knows its truth, and nothing of the server"),
		layer("input", "files become requests", "otlp"),
		layer("daemon", "it starts and stops the parts, and knows no command line",
			"otlp", "receiver", "pipeline", "profiles", "store", "query", "api", "jaeger", "metrics", "listen", "forward", "web", "buffer"),
		layer("cli", "the top: it may import all",
			"daemon", "config", "demo", "input", "listen", "metrics", "otlp", "pipeline", "profiles", "query", "receiver", "store"),
		layer("archtest", "it looks from outside"),
		{Folder: "cmd/otelprof", Own: []string{"internal/cli"}, External: everywhere, Why: "the program is its commands"},
		{Folder: "blackbox", Own: []string{"internal/demo"}, External: everywhere, Why: "what is tested is the binary; only its truth is imported"},
		{Folder: "bench", Own: []string{"internal/demo", "internal/store", "internal/otlp"}, External: everywhere, Why: "what is measured is the binary"},
	},
	// Tests may put parts together in ways that the program does not.
	TestOnly: []string{library + "/server/internal", "go.uber.org/goleak"},
	Bans: []archtest.Ban{
		{
			Path: pebble, Except: []string{"internal/store/pebblestore", "internal/store/clickhouse", "internal/daemon", "internal/cli", "cmd", "bench"},
			Why: "the engine is known to its store alone, to the queue before ClickHouse, and to what starts it",
		},
		{Path: cobra, Except: []string{"internal/cli", "cmd", "internal/config"}, Why: "the command line is known to commands alone"},
		{
			Path: prom, Except: []string{"internal/metrics", "internal/store/pebblestore", "internal/store/clickhouse", "internal/daemon", "internal/cli", "cmd", "bench"},
			Why: "parts tell their figures by functions; the registry is that of package metrics",
		},
		{Path: "github.com/stretchr", Except: []string{"internal/profiles/profilestest", "internal/store/storetest"}, Why: "test dependencies stay in tests"},
	},
}

func TestPackagesPointDownwards(t *testing.T) {
	pkgs, err := archtest.Load("../..", "linux/amd64", "./...")
	require.NoError(t, err)
	require.Contains(t, pkgs, library+"/server/internal/daemon", "the module itself was loaded")
	for _, v := range rules.Check(pkgs) {
		t.Error(v)
	}
}
