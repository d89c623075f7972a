package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// exampleSnapshot stands for what a profiler returns: a handler that was called twice and queried a database.
func exampleSnapshot() *core.Snapshot {
	handler := core.Site{Track: "otelhttp", Name: "GET /cart", Kind: core.KindServer, Function: "shop.cart", File: "shop/cart.go", Line: 12}
	query := core.Site{Track: "otelsql", Name: "SELECT items", Kind: core.KindClient}
	p := newProfile("shop")
	for _, d := range []uint64{20, 30} {
		p.record(observation{duration: d * ms, self: 5 * ms}, handler)
		p.record(observation{duration: (d - 5) * ms, self: (d - 5) * ms, failed: d == 30}, handler, query)
	}
	return p.snapshot()
}

func ExampleTable() {
	err := report.Table(os.Stdout, exampleSnapshot(), report.TableOptions{
		Sort:  report.SortTotal,
		Top:   20,
		Color: report.IsColorTerminal(os.Stdout),
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// otelprof: shop
	// window 10.0 s, 2025-01-02T03:04:05Z to 2025-01-02T03:04:15Z
	// spans 4, sites 2, tracks 2, self time 50.0 ms
	//
	// name                   calls  errors    total     self  self%     mean      p50      p99      max  location         track
	// GET /cart (server)         2       0  50.0 ms  10.0 ms  20.0%  25.0 ms  20.1 ms  29.9 ms  30.0 ms  shop/cart.go:12  otelhttp
	// SELECT items (client)      2       1  40.0 ms  40.0 ms  80.0%  20.0 ms  15.0 ms  24.9 ms  25.0 ms                   otelsql
}

func ExampleTree() {
	if err := report.Tree(os.Stdout, exampleSnapshot(), report.TreeOptions{MinShare: 0.01}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// otelprof: shop
	// window 10.0 s, 2025-01-02T03:04:05Z to 2025-01-02T03:04:15Z
	// spans 4, sites 2, tracks 2, self time 50.0 ms
	//
	//   total     self  self%  calls  errors      p99  call tree
	// 50.0 ms  10.0 ms  20.0%      2       0  29.9 ms  GET /cart (server)  [otelhttp]  shop/cart.go:12
	// 40.0 ms  40.0 ms  80.0%      2       1  24.9 ms  └─ SELECT items (client)  [otelsql]
}

func ExampleFolded() {
	if err := report.Folded(os.Stdout, exampleSnapshot(), report.FoldedOptions{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// GET /cart [otelhttp] 10000000
	// GET /cart [otelhttp];SELECT items [otelsql] 40000000
}

func ExampleCSV() {
	if err := report.CSV(os.Stdout, exampleSnapshot(), report.CSVOptions{Stichotrope: true}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Track,Block Name,Hit Count,Total Time (ns),Avg Time (ns),Min Time (ns),Max Time (ns),% Track,% Total
	// otelhttp,GET /cart,2,50000000,25000000,20000000,30000000,100.00,55.56
	// otelsql,SELECT items,2,40000000,20000000,15000000,25000000,100.00,44.44
}

func ExamplePprof() {
	f, err := os.CreateTemp("", "*.pb.gz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := report.Pprof(f, exampleSnapshot(), report.PprofOptions{}); err != nil {
		fmt.Println(err)
	}
	// Now: go tool pprof -top FILE

	// Output:
}

func ExampleLookup() {
	format, err := report.Lookup("json-stichotrope")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(format.ContentType, format.Extension)
	empty := &core.Snapshot{Names: []string{"idle"}, Start: time.Unix(0, 0), End: time.Unix(1, 0)}
	if err := format.Write(os.Stdout, empty); err != nil {
		fmt.Println(err)
	}
	_, err = report.Lookup("xml")
	fmt.Println(err)
	// Output:
	// application/json .stichotrope.json
	// {"profiler_name":"idle","tracks":[]}
	// unknown format "xml", want one of table, tree, html, csv, csv-stichotrope, json, json-stichotrope, folded, pprof, prometheus, openmetrics
}
