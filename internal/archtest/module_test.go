package archtest

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root   = "../.."
	module = "github.com/stichotrope/stichotrope-go"
)

// rules are the architecture of this module, as ARCHITECTURE.md draws it.
var rules = Rules{
	Module: module,
	Layers: []Layer{
		{
			Folder: "core",
			Why:    "core is the bottom: it imports the standard library alone, so that the library and the server can share it",
		}, {
			Folder: "report",
			Own:    []string{"core"},
			Why:    "a report is a pure function of a snapshot: it imports core and the standard library, never a profiler",
		}, {
			Folder:   "internal/callsite",
			Own:      []string{"core"},
			TestOnly: []string{"go.opentelemetry.io/otel"},
			Why:      "finding the caller takes the runtime alone; it stands below otelprof",
		}, {
			Folder:   "otelprof",
			Own:      []string{"core", "report", "internal/callsite"},
			External: []string{"go.opentelemetry.io/otel", "go.yaml.in/yaml/v3"},
			Why:      "every module that otelprof imports selects versions in the builds of its users",
		}, {
			Folder:   "otelprof/otelproftest",
			Own:      []string{"core", "report", "otelprof"},
			External: []string{"go.opentelemetry.io/otel"},
			Why:      "assertions for users' tests stand on the public API, and choose no test framework for them",
		}, {
			Folder:   "exporter",
			Own:      []string{"core"},
			External: []string{"go.opentelemetry.io/otel", "go.opentelemetry.io/proto/otlp"},
			TestOnly: []string{"google.golang.org/protobuf", module + "/internal/traffic"},
			Why:      "an exporter turns snapshots into OTLP and back: it takes any Source, never a profiler, and any client, so that the transport is the user's choice",
		}, {
			Folder: "internal/traffic",
			Own:    []string{"core"},
			Why:    "it makes profiles for tests and benchmarks, which take them as any other",
		}, {
			Folder: "internal",
			Why:    "what is left of internal checks this repository, and looks at it from outside",
		},
	},
	TestOnly: []string{"github.com/stretchr/testify", "go.uber.org/goleak"},
	Bans: []Ban{
		{Path: "google.golang.org/grpc", Why: "the version of grpc belongs to the user's program"},
		{
			Path: "google.golang.org/protobuf", Except: []string{"exporter"},
			Why: "it registers types globally from init, and our encodings need little of it; an otlptrace.Client takes its messages",
		},
		{Path: "net/http/pprof", Why: "its init adds handlers to http.DefaultServeMux: it opens the user's server without being asked"},
		{Path: "expvar", Why: "its init adds a handler to http.DefaultServeMux"},
		{Path: "github.com/stretchr", Why: "test dependencies must not reach users"},
		{Path: "go.uber.org/goleak", Why: "test dependencies must not reach users"},
		{
			Path: "testing", Except: []string{"otelprof/otelproftest", "internal"},
			Why: "it adds flags to the user's program",
		},
		{Path: "net/http", From: []string{"core", "report"}, Why: "aggregating and formatting serve nothing: the handler is otelprof's"},
		{Path: "os/exec", From: []string{"core", "report"}, Why: "aggregating and formatting start no programs"},
		{Path: "plugin", Why: "it disables dead-code elimination in the whole program"},
	},
}

// TestNothingPointsBackwards proves that core imports the standard library alone, report only core, and that
// users link nothing they did not ask for, on every platform that has files of its own.
func TestNothingPointsBackwards(t *testing.T) {
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "linux/386"} {
		t.Run(platform, func(t *testing.T) {
			pkgs, err := Load(root, platform, "./...")
			require.NoError(t, err)
			require.Contains(t, pkgs, module+"/core")
			for _, v := range rules.Check(pkgs) {
				t.Error(v)
			}
		})
	}
}

// TestNoLinkname keeps the library out of the runtime's private parts, which change without notice.
func TestNoLinkname(t *testing.T) {
	pkgs, err := Load(root, "linux/amd64", "./...")
	require.NoError(t, err)
	for _, p := range pkgs {
		if !within(p.ImportPath, module) || within(p.ImportPath, module+"/internal") {
			continue
		}
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			require.NoError(t, err)
			require.NotContains(t, string(src), "//go:"+"linkname ", "%s/%s", p.ImportPath, name)
		}
	}
}

// TestDirectRequirements keeps the list of modules that users of the library get: each was added on purpose.
func TestDirectRequirements(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{ Old struct{ Path string } }
	}
	decodeJSON(t, &mod, "mod", "edit", "-json")
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	slices.Sort(direct)
	require.Equal(t, []string{
		"github.com/stretchr/testify",                       // tests only
		"go.opentelemetry.io/otel",                          // attribute, codes, and the error handler that problems are reported to
		"go.opentelemetry.io/otel/exporters/otlp/otlptrace", // the Client that carries tracks; it links no transport
		"go.opentelemetry.io/otel/metric",                   // the MeterProvider that exporter publishes its own counts to
		"go.opentelemetry.io/otel/sdk",                      // the SpanProcessor interface and the sampler wrap
		"go.opentelemetry.io/otel/sdk/metric",               // the Producer interface and its data
		"go.opentelemetry.io/otel/trace",
		"go.opentelemetry.io/proto/otlp", // what tracks are written as and read from
		"go.uber.org/goleak",             // tests only
		"go.yaml.in/yaml/v3",             // the configuration file
		"google.golang.org/protobuf",     // tests of the exporter: OTLP as it is on the wire
	}, direct)
	require.Empty(t, mod.Replace, "a replace in a library's go.mod is ignored in the builds of its users")
}

// TestWorkspaceIsComplete proves that "go test work" in make test leaves out no module but the tools.
func TestWorkspaceIsComplete(t *testing.T) {
	var work struct{ Use []struct{ DiskPath string } }
	decodeJSON(t, &work, "work", "edit", "-json")
	used := []string{}
	for _, u := range work.Use {
		used = append(used, filepath.ToSlash(filepath.Clean(u.DiskPath)))
	}
	var modules []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != "." && (name == "testdata" || name == "node_modules" || path == "tools" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if name == "go.mod" {
			modules = append(modules, filepath.ToSlash(filepath.Dir(path)))
		}
		return nil
	})
	require.NoError(t, err)
	require.ElementsMatch(t, modules, used)
}

// decodeJSON decodes what the go command prints in the root folder.
func decodeJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, "go %s", strings.Join(args, " "))
	require.NoError(t, json.Unmarshal(out, into))
}
