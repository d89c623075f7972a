package main

import (
	"bytes"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{"--rate", "-1"}, "--rate -1: want 0 to 1000000"},
		{[]string{"--rate", "NaN"}, "--rate NaN: want 0 to 1000000"},
		{[]string{"--clients", "0"}, "--clients 0: want 1 to 1000"},
		{[]string{"--duration", "-1s"}, "--duration -1s: want 0 or more"},
		{[]string{"--requests", "-1"}, "--requests -1: want 0 or more"},
		{[]string{"--sample", "2"}, "--sample 2: want 0 to 1"},
		{[]string{"--refresh", "0s"}, "--refresh 0s: want more than 0"},
		{[]string{"--addr", "8080"}, `--addr "8080": want an address such as 127.0.0.1:8090`},
		{[]string{"--debug-addr", ":8090"}, `--debug-addr ":8090": want a loopback address`},
		{[]string{"--addr", "0.0.0.0:80"}, `--addr "0.0.0.0:80": want a loopback address`},
		{[]string{"--otlp", "127.0.0.1:4318"}, `--otlp "127.0.0.1:4318": want a URL such as http://127.0.0.1:4318`},
		{[]string{"--otlp", "http://127.0.0.1:4318/"}, "want a URL such as"},
		{[]string{"--otlp", "http://127.0.0.1:4318", "--print-spans"}, "want one of them"},
		{[]string{"--tracks-interval", "0s"}, "--tracks-interval 0s: want 1ms or more"},
		{[]string{"--container", "--addr", "8080"}, `--addr "8080": want an address such as 127.0.0.1:8090`},
		{[]string{"--unknown"}, "flag provided but not defined"},
		{[]string{"fast"}, `unexpected argument "fast"`},
	} {
		_, err := parseFlags(c.args, t.Output())
		require.ErrorContains(t, err, c.err, c.args)
	}
}

func TestContainerListensEverywhere(t *testing.T) {
	c, err := parseFlags([]string{"--container", "--debug-addr", "0.0.0.0:8090"}, t.Output())
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:8090", c.debugAddr)
}

func TestHelp(t *testing.T) {
	var help bytes.Buffer
	_, err := parseFlags([]string{"--help"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, help.String(), "/debug/otelprof/pprof")
	require.Contains(t, help.String(), "-requests number")
}
