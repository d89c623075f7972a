package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/examples/webshop/internal/load"
	"github.com/stichotrope/stichotrope-go/examples/webshop/internal/shop"
	"github.com/stichotrope/stichotrope-go/report"
)

// span is what a span ended as.
type span struct {
	kind core.Kind
	name string
}

// counts are how many spans ended, and how many of them with an error.
type counts struct{ count, errors uint64 }

// expected returns the spans that the first n requests of a plan cause, and those of filling the database.
func expected(plan *load.Plan, n int) map[span]counts {
	want := map[span]counts{}
	add := func(kind core.Kind, name string, count, errors int) {
		c := want[span{kind, name}]
		want[span{kind, name}] = counts{c.count + uint64(count), c.errors + uint64(errors)}
	}
	add(core.KindClient, "create schema", 1, 0)
	add(core.KindClient, "sql.conn.begin_tx", 1, 0)
	add(core.KindClient, "insert product", len(shop.Categories)*shop.ProductsPerCategory, 0)
	add(core.KindClient, "sql.tx.commit", 1, 0)
	for range n {
		r := plan.Next()
		add(core.KindServer, r.Route, 1, 0)
		switch r.Route {
		case "GET /{$}":
			add(core.KindClient, "featured products", 1, 0)
		case "GET /search":
			add(core.KindInternal, "rank results", 1, 0)
			add(core.KindClient, "search products", 1, 0)
		case "GET /categories/{name}":
			add(core.KindClient, "ids in category", 1, 0)
			add(core.KindClient, "product by id", shop.ProductsPerCategory, 0)
		case "GET /products/{id}":
			add(core.KindClient, "product by id", 1, 0)
			if r.Status == http.StatusOK {
				addOffers(add, r.Product)
			}
		case "POST /orders":
			add(core.KindClient, "product by id", 1, 0)
			if r.Status != http.StatusNotFound {
				addCharge(add, r.Status == http.StatusPaymentRequired)
			}
		}
	}
	return want
}

func addOffers(add func(core.Kind, string, int, int), product int) {
	add(core.KindInternal, "ask suppliers", 1, 0)
	for _, supplier := range shop.Suppliers {
		failed := 0
		if shop.OutOfStock(supplier, product) {
			failed = 1
		}
		add(core.KindClient, "HTTP GET", 1, failed)
		add(core.KindServer, "GET /{supplier}/offers/{product}", 1, failed)
	}
}

func addCharge(add func(core.Kind, string, int, int), declined bool) {
	add(core.KindServer, "bank.Cards/Charge", 1, 0)
	add(core.KindInternal, "check fraud", 1, 0)
	if declined {
		add(core.KindClient, "bank.Cards/Charge", 1, 1)
		return
	}
	add(core.KindClient, "bank.Cards/Charge", 1, 0)
	add(core.KindClient, "sql.conn.begin_tx", 1, 0)
	add(core.KindClient, "insert order", 1, 0)
	add(core.KindClient, "sql.tx.commit", 1, 0)
	add(core.KindConsumer, "ship order", 1, 0)
	add(core.KindInternal, "fetch from shelf", 1, 0)
	add(core.KindInternal, "print label", 1, 0)
	add(core.KindClient, "mark shipped", 1, 0)
}

func parse(t *testing.T, args ...string) config {
	t.Helper()
	c, err := parseFlags(append([]string{"--debug-addr", "127.0.0.1:0"}, args...), t.Output())
	require.NoError(t, err)
	return c
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func contents(t *testing.T, f *os.File) string {
	t.Helper()
	text, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	return string(text)
}

// TestProfileIsExact sends real requests through other people's instrumentation, samples none of them, and finds
// every span in the profile: by site, and in the tree.
func TestProfileIsExact(t *testing.T) {
	const n = 400
	out, dir := tempFile(t), filepath.Join(t.TempDir(), "profile")
	r, err := run(t.Context(), parse(t, "--requests", "400", "--sample", "0", "--seed", "7", "--out", dir), out)
	require.NoError(t, err)

	got := map[span]counts{}
	for _, b := range r.profile.Blocks {
		key := span{b.Site.Kind, b.Site.Name}
		got[key] = counts{got[key].count + b.Stats.Count, got[key].errors + b.Stats.Errors}
		require.Zero(t, b.Stats.Active, b.Site)
	}
	want := expected(load.NewPlan(7), n)
	require.Equal(t, want, got)
	require.Equal(t, n, r.tally.Sent)
	require.Zero(t, r.exported.Received)

	categories := want[span{core.KindServer, "GET /categories/{name}"}].count
	require.Equal(t, shop.ProductsPerCategory*categories, nodes(r.profile, "GET /categories/{name}", "product by id"))
	products := want[span{core.KindInternal, "ask suppliers"}].count
	require.Equal(t, uint64(len(shop.Suppliers))*products, nodes(r.profile, "GET /products/{id}", "ask suppliers", "HTTP GET"))
	orders := want[span{core.KindConsumer, "ship order"}].count
	require.Equal(t, orders, nodes(r.profile, "ship order", "print label"))

	for _, f := range report.Formats() {
		info, err := os.Stat(filepath.Join(dir, "profile"+f.Extension))
		require.NoError(t, err)
		require.NotZero(t, info.Size(), f.Name)
	}
	require.Contains(t, contents(t, out), "(0.0 %) were chosen for export, no spans lost")
}

// nodes returns the count of the tree's nodes whose path has these names.
func nodes(s *core.Snapshot, names ...string) uint64 {
	var n uint64
	for i := range s.Nodes {
		path := []string{}
		for _, site := range s.Path(i) {
			path = append(path, site.Name)
		}
		if strings.Join(path, "\n") == strings.Join(names, "\n") {
			n += s.Nodes[i].Stats.Count
		}
	}
	return n
}

var debugURL = regexp.MustCompile(`http://\S+/debug/otelprof/`)

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", body)
	return string(body)
}

// TestInterrupt reads the live profile of a run that has no end of its own, and ends it as Ctrl-C does.
func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	lines, out, err := os.Pipe()
	require.NoError(t, err)
	defer lines.Close()
	type outcome struct {
		r   result
		err error
	}
	done := make(chan outcome, 1)
	c := parse(t, "--sample", "1", "--print-spans", "--rate", "0", "--out", "")
	go func() {
		r, err := run(ctx, c, out)
		done <- outcome{r, errors.Join(err, out.Close())}
	}()
	var text strings.Builder
	page := ""
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		text.WriteString(scanner.Text() + "\n")
		if m := debugURL.FindString(scanner.Text()); m != "" {
			page = get(t, m+"tree")
		}
		if page != "" && strings.Contains(scanner.Text(), `"GET /search"`) {
			interrupt()
		}
	}
	o := <-done
	require.Contains(t, page, "otelprof: webshop")
	require.NoError(t, o.err)
	require.Positive(t, o.r.tally.Sent)
	require.Equal(t, o.r.profile.Counters.Spans, o.r.exported.Exported, "every span was sampled")
	require.Contains(t, text.String(), "/debug/otelprof/ (open it in a browser)")
	require.Contains(t, text.String(), "counted by the profile")
	require.NotContains(t, text.String(), "\x1b")
}

func TestPortInUse(t *testing.T) {
	first, err := listen("127.0.0.1:0", http.NotFoundHandler())
	require.NoError(t, err)
	defer first.close()
	addr := strings.TrimPrefix(first.url, "http://")
	_, err = run(t.Context(), parse(t, "--debug-addr", addr), tempFile(t))
	require.ErrorContains(t, err, "--debug-addr chooses another address")
	_, err = run(t.Context(), parse(t, "--addr", addr), tempFile(t))
	require.ErrorContains(t, err, "address already in use")
}
