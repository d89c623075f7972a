package otelprof_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

func ExampleHandler() {
	profiler, err := otelprof.New(otelprof.WithName("shop"))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/otelprof/", otelprof.Handler(profiler))
	server := httptest.NewServer(mux) // in a program: http.ListenAndServe("127.0.0.1:8090", mux)
	defer server.Close()

	response, err := http.Get(server.URL + "/debug/otelprof/folded")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status, response.Header.Get("Content-Type"))
	// Output: 200 OK text/plain; charset=utf-8
}
