package otelprof

import (
	"errors"
	"fmt"
	"os"
	"unicode"
	"unicode/utf8"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// config is every setting of a profiler with its final value. The meaning of each is documented at the Option that
// sets it.
type config struct {
	name    string
	enabled bool

	onlyTracks     []string
	disabledTracks []string
	track          func(sdktrace.ReadOnlySpan) string // nil: the instrumentation scope's name

	callSite     CallSiteMode
	callSiteSkip []string

	selfTime       bool
	selfHistograms bool
	callTree       bool
	fastAccess     bool

	normalizeNames bool
	nameNormalizer func(string) string // nil: NormalizeName if normalizeNames

	limits core.Limits

	file          string // named by WithConfigFile
	noEnvironment bool
}

// defaultConfig is what holds where nothing is said. The environment adds the name.
func defaultConfig() config {
	return config{
		enabled:    true,
		callSite:   CallSiteAuto,
		selfTime:   true,
		callTree:   true,
		fastAccess: true,
		limits:     core.DefaultLimits(),
	}
}

// resolve works out the configuration from the options, the environment of the process, the configuration file and
// the defaults. The error holds every mistake found, not just the first.
func resolve(opts []Option) (config, error) {
	var program string
	if len(os.Args) > 0 {
		program = os.Args[0]
	}
	return resolveIn(environment{vars: os.Environ(), program: program}, opts)
}

// resolveIn is resolve in a given environment. The layers are laid on top of each other from the weakest to the
// strongest, each saying only what it wants to change.
func resolveIn(env environment, opts []Option) (config, error) {
	// The options have to be asked before the environment and the file are read, although they are applied after them.
	var asked config
	_ = applyOptions(&asked, opts) // its errors are reported when the options are applied for good
	if asked.noEnvironment {
		env.vars = nil
	}
	c := defaultConfig()
	c.name = env.serviceName()
	c.enabled = !env.sdkDisabled()

	var errs []error
	if path := configFile(env, asked.file); path != "" {
		errs = append(errs, applyFile(&c, path))
	}
	errs = append(errs, env.apply(&c), applyOptions(&c, opts))
	if err := errors.Join(errs...); err != nil {
		return config{}, fmt.Errorf("configuring otelprof: %w", err)
	}
	return c, nil
}

// configFile returns the path of the configuration file, "" if there is none: the one that the options ask for, if they do.
func configFile(env environment, asked string) string {
	if asked != "" {
		return asked
	}
	path, _ := env.lookup(configFileVariable)
	return path
}

func applyOptions(c *config, opts []Option) error {
	var errs []error
	for _, o := range opts {
		if o != nil {
			errs = append(errs, o.apply(c))
		}
	}
	return errors.Join(errs...)
}

// normalizer returns the function to apply to the names of spans, nil if they stay as they are.
func (c *config) normalizer() func(string) string {
	switch {
	case c.nameNormalizer != nil:
		return c.nameNormalizer
	case c.normalizeNames:
		return NormalizeName
	}
	return nil
}

// trackEnabled reports whether a track is to be recorded, as far as the configuration goes.
func (c *config) trackEnabled(track string) bool {
	return (len(c.onlyTracks) == 0 || matchesAny(c.onlyTracks, track)) && !matchesAny(c.disabledTracks, track)
}

// longestName is the longest profiler name in bytes: as long as a site's name by default.
const longestName = 1024

func validName(name string) bool {
	if name == "" || len(name) > longestName || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

func validList(items []string) bool {
	for _, item := range items {
		if item == "" {
			return false
		}
	}
	return true
}
