package integration

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dashboard is what the tests look at in a dashboard of Grafana.
type dashboard struct {
	Title      string
	Templating struct {
		List []struct {
			Name       string
			Definition string
			Datasource datasource
		}
	}
	Panels []struct {
		ID         int
		Title      string
		Datasource datasource
		GridPos    struct{ X, Y, W, H int }
		Targets    []struct {
			Expr, LegendFormat, RefID string
			Datasource                datasource
		}
	}
}

// datasource is a reference to one that deploy/grafana/datasources.yml has.
type datasource struct{ Type, UID string }

// dashboards returns those that docker-compose.yml provisions, by file name.
func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("../deploy/grafana/dashboards/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]dashboard{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var d dashboard
		require.NoError(t, json.Unmarshal(data, &d), file)
		require.NotEmpty(t, d.Panels)
		all[filepath.Base(file)] = d
	}
	return all
}

// variables are what Grafana replaces in a query, with values for the test.
var variables = strings.NewReplacer("$__rate_interval", "10s", "$__interval", "10s", "$job", "webshop", "$span", ".*")

var (
	selectors = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\{([^}]*)\}`)
	matchers  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"`)
	groupings = regexp.MustCompile(`\bby \(([^)]*)\)`)
	legends   = regexp.MustCompile(`\{\{(\w+)\}\}`)
	ofLabels  = regexp.MustCompile(`^label_values\(([^,]*), (\w+)\)$`)
)

// TestDashboardsAskForWhatThereIs lets a real Prometheus scrape the webshop as docker-compose.yml has it, and runs every
// query of every dashboard: all metrics and labels in it exist, and it has an answer.
func TestDashboardsAskForWhatThereIs(t *testing.T) {
	prometheus := deployedPrometheus(t, startWebshop(t))
	for file, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			m := ofLabels.FindStringSubmatch(v.Definition)
			require.NotNil(t, m, "%s: variable %s: %s", file, v.Name, v.Definition)
			prometheus.requireLabels(t, variables.Replace(m[1]), m[2])
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				t.Run(p.Title+" "+target.RefID, func(t *testing.T) { prometheus.requireAnswer(t, target.Expr, target.LegendFormat) })
			}
		}
	}
}

// requireAnswer runs a query of a dashboard and looks for everything that it mentions.
func (p *prometheusServer) requireAnswer(t *testing.T, expression, legend string) {
	t.Helper()
	query := variables.Replace(expression)
	require.NotContains(t, query, "$", "a variable that the test does not know")
	found := selectors.FindAllStringSubmatch(query, -1)
	require.NotEmpty(t, found)
	for _, s := range found {
		for _, m := range matchers.FindAllStringSubmatch(s[2], -1) {
			p.requireLabels(t, s[1], m[1])
		}
	}
	var labels []string
	for _, g := range groupings.FindAllStringSubmatch(query, -1) {
		labels = append(labels, strings.Split(strings.ReplaceAll(g[1], " ", ""), ",")...)
	}
	for _, l := range legends.FindAllStringSubmatch(legend, -1) {
		labels = append(labels, l[1])
	}
	p.requireLabels(t, query, labels...)
}

// requireLabels waits for an answer in which each label is set somewhere.
func (p *prometheusServer) requireLabels(t *testing.T, query string, labels ...string) {
	t.Helper()
	eventually(t, query+" has labels "+strings.Join(labels, ", "), func(ctx context.Context) bool {
		series, err := p.query(ctx, query)
		if err != nil || len(series) == 0 {
			return false
		}
		set := map[string]bool{}
		for _, s := range series {
			for name, value := range s.labels {
				set[name] = set[name] || value != ""
			}
		}
		for _, l := range labels {
			if !set[l] {
				return false
			}
		}
		return true
	})
}

// startWebshop runs the webshop until the test ends, and returns the host and port of its metrics.
func startWebshop(t *testing.T, args ...string) string {
	t.Helper()
	address := freeAddress(t)
	args = append([]string{"--debug-addr", address, "--rate", "50", "--out", ""}, args...)
	start(t, build(t, "webshop"), args...).awaitReady(t, answers("http://"+address+"/metrics"))
	return address
}

// deployedPrometheus starts a Prometheus as docker-compose.yml has it, which scrapes the webshop at an address.
func deployedPrometheus(t *testing.T, webshop string) *prometheusServer {
	t.Helper()
	return runPrometheus(t, deployed(t, "prometheus.yml", map[string]string{"webshop:8090": webshop, "scrape_interval: 5s": "scrape_interval: 1s"}))
}

// TestMetricNamesOfLaterPrometheus asks for the webshop's metrics as Prometheus 3 does, which takes names of any
// characters: they must be those that the dashboards ask for all the same.
func TestMetricNamesOfLaterPrometheus(t *testing.T) {
	address := startWebshop(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				for _, s := range selectors.FindAllStringSubmatch(variables.Replace(target.Expr), -1) {
					// A histogram has its series under longer names in text.
					require.Regexp(t, `(?m)^`+s[1]+`(_count)?\{.*span_name="|^`+s[1]+`\{.*otelprof_counter="`, string(text))
				}
			}
		}
	}
}
