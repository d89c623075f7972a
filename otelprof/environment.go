package otelprof

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// variablePrefix marks the environment variables that are ours. What follows it is the key of a setting in upper
// case, or CONFIG.
const variablePrefix = "OTELPROF_"

// testPrefix marks variables that steer this project's own tests. They are no settings.
const testPrefix = variablePrefix + "TEST_"

// configFileVariable names the configuration file.
const configFileVariable = variablePrefix + "CONFIG"

// environment is what the profiler takes from the process around it.
type environment struct {
	// vars has the form of os.Environ: NAME=value.
	vars []string
	// program is the path of the executable, as in os.Args[0].
	program string
}

// variable returns the name of the environment variable of the setting.
func (s setting) variable() string { return variablePrefix + strings.ToUpper(s.key) }

// lookup returns the value of a variable without white space around it. A variable with an empty value is as good as
// unset, as OpenTelemetry demands.
func (e environment) lookup(name string) (value string, ok bool) {
	for _, v := range e.vars {
		if n, value, found := strings.Cut(v, "="); found && n == name {
			value = strings.TrimSpace(value)
			return value, value != ""
		}
	}
	return "", false
}

// apply sets everything that the OTELPROF_* variables say.
func (e environment) apply(c *config) error {
	errs := []error{e.unknownVariables()}
	for _, s := range settings {
		text, ok := e.lookup(s.variable())
		if !ok {
			continue
		}
		if s.setList != nil {
			ok = s.setList(c, splitList(text))
		} else {
			ok = s.set(c, text)
		}
		if !ok {
			errs = append(errs, s.badValue(s.variable(), text))
		}
	}
	return errors.Join(errs...)
}

// splitList returns the items of a comma-separated list without white space around them.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// unknownVariables returns an error for each variable that starts as ours do, but is none: a misspelt one would else
// be ignored without a word.
func (e environment) unknownVariables() error {
	known := []string{configFileVariable}
	for _, s := range settings {
		known = append(known, s.variable())
	}
	var errs []error
	for _, v := range e.vars {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, variablePrefix) && !IsVariable(name) && value != "" {
			errs = append(errs, unknown("environment variable", name, known))
		}
	}
	return errors.Join(errs...)
}

// IsVariable reports whether the environment variable is one that New reads, or one of this project's own tests. Programs
// that have OTELPROF_* variables of their own tell them apart by it.
func IsVariable(name string) bool {
	return name == configFileVariable || strings.HasPrefix(name, testPrefix) ||
		slices.ContainsFunc(settings, func(s setting) bool { return s.variable() == name })
}

// sdkDisabled reports whether OTEL_SDK_DISABLED asks for a process without telemetry. By OpenTelemetry's rule for
// booleans everything but "true", in any case, is false.
func (e environment) sdkDisabled() bool {
	text, _ := e.lookup("OTEL_SDK_DISABLED")
	return strings.EqualFold(text, "true")
}

// serviceName returns the default name of the profiler: that of the service in OpenTelemetry's variables, else that
// of the executable. A name that WithName would refuse is passed over.
func (e environment) serviceName() string {
	service, _ := e.lookup("OTEL_SERVICE_NAME")
	attributes, _ := e.lookup("OTEL_RESOURCE_ATTRIBUTES")
	names := []string{service, resourceAttribute(attributes, "service.name")}
	if e.program != "" {
		names = append(names, strings.TrimSuffix(filepath.Base(e.program), ".exe"))
	}
	for _, name := range names {
		if validName(name) {
			return name
		}
	}
	return "unknown_service" // OpenTelemetry's name for it
}

// resourceAttribute returns the value of a key in a text of the form k1=v1,k2=v2 whose values are percent-encoded.
// As in the SDK the last of several wins, and a value that cannot be decoded is taken as it is.
func resourceAttribute(attributes, key string) string {
	var last string
	for pair := range strings.SplitSeq(attributes, ",") {
		k, v, _ := strings.Cut(pair, "=")
		if strings.TrimSpace(k) != key {
			continue
		}
		last = strings.TrimSpace(v)
		if decoded, err := url.PathUnescape(last); err == nil {
			last = decoded
		}
	}
	return last
}
