package otelprof

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadVariables(t *testing.T) {
	for _, s := range everySetting {
		name := "OTELPROF_" + strings.ToUpper(s.key)
		_, err := resolveText(nil, name+"="+s.not)
		found, _ := findSetting(s.key)
		require.EqualError(t, err, "configuring otelprof: "+name+" is "+quote(s.not)+", want "+found.allowed)
	}
}

func TestEmptyVariablesAreUnset(t *testing.T) {
	vars := []string{"OTELPROF_CONFIG=", "OTELPROF_NO_SUCH_THING=", "OTEL_SERVICE_NAME= "}
	for _, s := range everySetting {
		vars = append(vars, "OTELPROF_"+strings.ToUpper(s.key)+"= \t")
	}
	got, err := resolveText(nil, vars...)
	require.NoError(t, err)
	want, err := resolveText(nil)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestUnknownVariables(t *testing.T) {
	for variable, want := range map[string]string{
		"OTELPROF_MAX_SITE":    `"OTELPROF_MAX_SITE", did you mean OTELPROF_MAX_SITES?`,
		"OTELPROF_CONFG":       `"OTELPROF_CONFG", did you mean OTELPROF_CONFIG?`,
		"OTELPROF_max_sites":   `"OTELPROF_max_sites", did you mean OTELPROF_MAX_SITES?`,
		"OTELPROF_CALLSITE":    `"OTELPROF_CALLSITE", did you mean OTELPROF_CALL_SITE?`,
		"OTELPROF_\x1b[31mNAM": `"OTELPROF_\x1b[31mNAM", want one of OTELPROF_CONFIG, OTELPROF_NAME,`,
		"OTELPROF_TEAPOT_NOW":  `"OTELPROF_TEAPOT_NOW", want one of OTELPROF_CONFIG, OTELPROF_NAME,`,
	} {
		_, err := resolveText(nil, variable+"=x")
		require.ErrorContains(t, err, "unknown environment variable "+want)
	}
	_, err := resolveText(nil, "OTELPROFILER=x", "otelprof_name=x", "=C:=C:\\", "OTELPROF")
	require.NoError(t, err, "not ours")
}

func TestServiceName(t *testing.T) {
	for _, test := range []struct {
		want, program string
		vars          []string
	}{
		{"tool", "/opt/bin/tool", nil},
		{"tool", "tool.exe", nil},
		{"unknown_service", "", nil},
		{"svc", "/opt/bin/tool", []string{"OTEL_SERVICE_NAME= svc ", "OTEL_RESOURCE_ATTRIBUTES=service.name=other"}},
		{"shop one", "tool", []string{"OTEL_RESOURCE_ATTRIBUTES=a=b, service.name = shop%20one ,service.name.x=c"}},
		{"last", "tool", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=first,service.name=last"}},
		{"100%", "tool", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=100%"}},
		{"tool", "tool", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name,xservice.name=x,=,,"}},
		{"tool", "tool", []string{"OTEL_SERVICE_NAME=\xff", "OTEL_RESOURCE_ATTRIBUTES=service.name=a%0Ab"}},
		{"tool", "tool", []string{"OTEL_SERVICE_NAME=" + strings.Repeat("x", longestName+1)}},
	} {
		c, err := resolveIn(environment{vars: test.vars, program: test.program}, nil)
		require.NoError(t, err)
		require.Equal(t, test.want, c.name, "%v", test)
	}
	c, err := resolveText(nil, "OTEL_SERVICE_NAME=svc", "OTELPROF_NAME=ours")
	require.NoError(t, err)
	require.Equal(t, "ours", c.name)
}

func TestSDKDisabledChangesTheDefaultOnly(t *testing.T) {
	for _, test := range []struct {
		vars []string
		want bool
	}{
		{[]string{"OTEL_SDK_DISABLED=true"}, false},
		{[]string{"OTEL_SDK_DISABLED=TRUE"}, false},
		{[]string{"OTEL_SDK_DISABLED=1"}, true},
		{[]string{"OTEL_SDK_DISABLED=yes"}, true},
		{[]string{"OTEL_SDK_DISABLED="}, true},
		{[]string{"OTEL_SDK_DISABLED=true", "OTELPROF_ENABLED=true"}, true},
		{[]string{"OTEL_SDK_DISABLED=false", "OTELPROF_ENABLED=false"}, false},
		{[]string{"OTEL_SDK_DISABLED=true", "OTELPROF_CONFIG=" + writeFile(t, "enabled: true")}, true},
	} {
		c, err := resolveText(nil, test.vars...)
		require.NoError(t, err)
		require.Equal(t, test.want, c.enabled, "%v", test.vars)
	}
	c, err := resolveText([]Option{WithEnabled(true)}, "OTEL_SDK_DISABLED=true")
	require.NoError(t, err)
	require.True(t, c.enabled)
}

func TestWithoutEnvironmentReadsNoVariable(t *testing.T) {
	env := environment{program: "/usr/bin/shop", vars: []string{
		"OTELPROF_NAME=other", "OTELPROF_DATA=/var/lib", "OTELPROF_CONFIG=/nowhere.yaml", "OTEL_SDK_DISABLED=true", "OTEL_SERVICE_NAME=other",
	}}
	_, err := resolveIn(env, nil)
	require.ErrorContains(t, err, "/nowhere.yaml")
	c, err := resolveIn(env, []Option{WithoutEnvironment()})
	require.NoError(t, err)
	require.Equal(t, "shop", c.name)
	require.True(t, c.enabled)
}
