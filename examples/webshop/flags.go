package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// config is what the flags say.
type config struct {
	addr, debugAddr string
	rate            float64
	clients         int
	duration        time.Duration
	requests        int
	seed            uint64
	sample          float64
	printSpans      bool
	otlp            string
	interval        time.Duration
	container       bool
	refresh         time.Duration
	top             int
	out             string
}

const usage = `webshop runs an instrumented web shop under load and shows where its time goes.

The shop is instrumented by otelhttp, otelgrpc and otelsql. One trace in a hundred is sampled, as a budget would
have it; otelprof still profiles every span. While the shop runs, open the address it prints, or try

  go tool pprof -top http://127.0.0.1:8090/debug/otelprof/pprof

Things to find in the profile:
  - the N+1 bug: "product by id" is called 20 times for each "GET /categories/{name}"
  - "ask suppliers" takes long but does nothing itself: its children run concurrently
  - the errors: a supplier that is out of stock, cards that are declined
  - background work: "ship order" is no child of a request

With --otlp the sampled spans go to a tracing backend, and the profile goes there as well, as a trace of the service
webshop-profile: see "See it in Jaeger" in the README.

Press Ctrl-C for the final report. The profile is then written to files for a browser, go tool pprof,
flamegraph.pl, speedscope, a spreadsheet and Prometheus.

Flags:
`

// parseFlags reads the command line and prints the help and errors of usage to w.
func parseFlags(args []string, w io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("webshop", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() {
		fmt.Fprint(w, usage)
		f.PrintDefaults()
	}
	f.StringVar(&c.addr, "addr", "127.0.0.1:0", "loopback `address` of the shop; port 0 takes a free one")
	f.StringVar(&c.debugAddr, "debug-addr", "127.0.0.1:8090", "loopback `address` of the profile, /debug/otelprof/")
	f.Float64Var(&c.rate, "rate", 200, "`requests per second` at most, 0 for as many as the clients can")
	f.IntVar(&c.clients, "clients", 16, "`number` of requests under way at once at most")
	f.DurationVar(&c.duration, "duration", 0, "stop after this `time`, such as 30s; 0 runs until Ctrl-C")
	f.IntVar(&c.requests, "requests", 0, "check mode: send this `number` of requests at full speed, compare what the\n"+
		"profile counted with what was sent, and exit with 1 unless all is equal")
	f.Uint64Var(&c.seed, "seed", 1, "the same `number` gives the same requests again")
	f.Float64Var(&c.sample, "sample", 0.01, "`share` of the traces that are exported, 0 to 1; it changes nothing in the profile")
	f.StringVar(&c.otlp, "otlp", "", "`URL` of a tracing backend, such as http://127.0.0.1:4318, that takes OTLP over HTTP")
	f.DurationVar(&c.interval, "tracks-interval", 15*time.Second, "`time` between two reports of the profile to the tracing backend")
	f.BoolVar(&c.container, "container", false, "allow addresses that are not on loopback: for a container, whose network is its own")
	f.BoolVar(&c.printSpans, "print-spans", false, "print the exported spans, one line each")
	f.DurationVar(&c.refresh, "refresh", time.Second, "`time` between two updates on a terminal; elsewhere a line is printed every ten")
	f.IntVar(&c.top, "top", 25, "`number` of rows in the table")
	f.StringVar(&c.out, "out", "webshop-profile", "`folder` to write the profile to in the end; empty writes none")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q: there are only flags, see --help", f.Arg(0))
	}
	return c, c.validate()
}

// validate returns an error that says which flag is wrong and what it may be.
func (c config) validate() error {
	switch {
	case !(c.rate >= 0 && c.rate <= 1e6):
		return fmt.Errorf("--rate %g: want 0 to 1000000", c.rate)
	case c.clients < 1 || c.clients > 1000:
		return fmt.Errorf("--clients %d: want 1 to 1000", c.clients)
	case c.duration < 0:
		return fmt.Errorf("--duration %s: want 0 or more", c.duration)
	case c.requests < 0:
		return fmt.Errorf("--requests %d: want 0 or more", c.requests)
	case !(c.sample >= 0 && c.sample <= 1):
		return fmt.Errorf("--sample %g: want 0 to 1", c.sample)
	case c.interval < time.Millisecond:
		return fmt.Errorf("--tracks-interval %s: want 1ms or more", c.interval)
	case c.otlp != "" && c.printSpans:
		return errors.New("--print-spans and --otlp: want one of them, spans go to one place")
	case c.refresh <= 0:
		return fmt.Errorf("--refresh %s: want more than 0", c.refresh)
	}
	if err := validateURL(c.otlp); err != nil {
		return err
	}
	for name, addr := range map[string]string{"--addr": c.addr, "--debug-addr": c.debugAddr} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("%s %q: want an address such as 127.0.0.1:8090", name, addr)
		}
		// The shop is an example with bugs in it, so it is not for the network.
		if ip := net.ParseIP(host); !c.container && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s %q: want a loopback address such as 127.0.0.1:8090", name, addr)
		}
	}
	return nil
}

// validateURL checks the address of a tracing backend, which may be empty.
func validateURL(otlp string) error {
	if otlp == "" {
		return nil
	}
	u, err := url.Parse(otlp)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.HasSuffix(otlp, "/") {
		return fmt.Errorf("--otlp %q: want a URL such as http://127.0.0.1:4318", otlp)
	}
	return nil
}
