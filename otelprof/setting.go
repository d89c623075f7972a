package otelprof

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// setting is something that can be said in text: under its key in the configuration file, and by the environment
// variable of the same name in upper case behind OTELPROF_. Both go through the same parser, so that they accept
// the same values and complain in the same words.
type setting struct {
	key string
	// allowed completes the sentence "want …" of an error.
	allowed string
	// set parses a single value into the config, setList a list. A setting has exactly one of them. They return
	// false, and change nothing, if the value is not allowed.
	set     func(c *config, text string) bool
	setList func(c *config, items []string) bool
}

// settings are all of them, in the order of docs/configuration.md.
var settings = []setting{
	{
		key: "name", allowed: "1 to 1024 bytes of valid UTF-8 without control characters",
		set: func(c *config, text string) bool {
			if !validName(text) {
				return false
			}
			c.name = text
			return true
		},
	},
	boolean("enabled", func(c *config) *bool { return &c.enabled }),
	list("only_tracks", "track names, in which * stands for any characters",
		func(c *config) *[]string { return &c.onlyTracks }),
	list("disabled_tracks", "track names, in which * stands for any characters",
		func(c *config) *[]string { return &c.disabledTracks }),
	{
		key: "call_site", allowed: "one of " + strings.Join(callSiteModes, ", "),
		set: func(c *config, text string) bool {
			mode, ok := parseCallSiteMode(text)
			if ok {
				c.callSite = mode
			}
			return ok
		},
	},
	list("call_site_skip", "prefixes of function names", func(c *config) *[]string { return &c.callSiteSkip }),
	boolean("self_time", func(c *config) *bool { return &c.selfTime }),
	boolean("self_histograms", func(c *config) *bool { return &c.selfHistograms }),
	boolean("call_tree", func(c *config) *bool { return &c.callTree }),
	boolean("fast_access", func(c *config) *bool { return &c.fastAccess }),
	boolean("normalize_names", func(c *config) *bool { return &c.normalizeNames }),
	limit("max_sites", 1, func(l *core.Limits) *int { return &l.MaxSites }),
	limit("max_nodes", 1, func(l *core.Limits) *int { return &l.MaxNodes }),
	limit("max_depth", 1, func(l *core.Limits) *int { return &l.MaxDepth }),
	limit("max_active", 1, func(l *core.Limits) *int { return &l.MaxActive }),
	limit("max_pending", 1, func(l *core.Limits) *int { return &l.MaxPending }),
	limit("max_name", 16, func(l *core.Limits) *int { return &l.MaxName }),
}

func boolean(key string, field func(*config) *bool) setting {
	return setting{
		key: key, allowed: "true or false",
		set: func(c *config, text string) bool {
			on := strings.EqualFold(text, "true")
			if !on && !strings.EqualFold(text, "false") {
				return false
			}
			*field(c) = on
			return true
		},
	}
}

func list(key, of string, field func(*config) *[]string) setting {
	return setting{
		key: key, allowed: "a list of " + of + ", none of them empty",
		setList: func(c *config, items []string) bool {
			if !validList(items) {
				return false
			}
			*field(c) = items
			return true
		},
	}
}

// limit is a setting of core.Limits. Whether a value is allowed is for core to say; least is for the message.
func limit(key string, least int, field func(*core.Limits) *int) setting {
	return setting{
		key: key, allowed: fmt.Sprintf("a whole number from %d to 16777216", least),
		set: func(c *config, text string) bool {
			n, err := strconv.Atoi(text)
			if err != nil {
				return false
			}
			limits := c.limits
			*field(&limits) = n
			if limits.Validate() != nil {
				return false
			}
			c.limits = limits
			return true
		},
	}
}

// findSetting returns the setting with the key.
func findSetting(key string) (setting, bool) {
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// badValue is the error of a value that a setting does not allow. where is what the user would look for.
func (s setting) badValue(where, value string) error {
	return fmt.Errorf("%s is %s, want %s", where, quote(value), s.allowed)
}

// badOption is the error of an option whose value the setting of the same meaning does not allow.
func badOption(option, key, value string) error {
	s, _ := findSetting(key)
	return fmt.Errorf("%s: %w", option, s.badValue(key, value))
}

// longestQuote is how many bytes of a bad value are shown.
const longestQuote = 100

// quote returns the text in quotes on one line of printable characters, cut if it is long.
func quote(text string) string {
	if len(text) > longestQuote {
		return strconv.Quote(text[:longestQuote]) + "…"
	}
	return strconv.Quote(text)
}
