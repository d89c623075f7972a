package core

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Kind says which role a span plays in its trace. The numbers up to KindConsumer are those of
// OpenTelemetry's trace.SpanKind.
type Kind uint8

// The kinds of sites.
const (
	KindUnspecified Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
	// KindBlock marks a site measured by the block API, without a span.
	KindBlock
)

var kindNames = [...]string{"unspecified", "internal", "server", "client", "producer", "consumer", "block"}

// String returns the kind's lower-case name, such as "server".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *Kind) UnmarshalText(text []byte) error {
	s := string(text)
	for i, name := range kindNames {
		if s == name {
			*k = Kind(i)
			return nil
		}
	}
	if n, ok := strings.CutPrefix(s, "kind("); ok {
		n, closed := strings.CutSuffix(n, ")")
		if v, err := strconv.ParseUint(n, 10, 8); err == nil && closed {
			*k = Kind(v)
			return nil
		}
	}
	return fmt.Errorf("unknown kind %q, want one of %s", s, strings.Join(kindNames[:], ", "))
}

// OverflowName is the name of the site and of the node that receive what the limits keep out. It is the
// attribute key that OpenTelemetry's metrics data model uses for the same purpose.
const OverflowName = "otel.metric.overflow"

// OverflowSite is the site that receives every observation of a site beyond Limits.MaxSites.
var OverflowSite = Site{Track: "otelprof", Name: OverflowName}

// Location is a line of source code. See the fields of the same names of [Site].
type Location struct {
	Function, File string
	Line           int
}

// Site identifies where a span or block starts: it is the key of a [Block].
type Site struct {
	// Service is the service that the span is of; empty in the profile of one process, which has no need to say it.
	Service string `json:"service,omitempty"`
	// Track is the group that the site belongs to: by default the instrumentation scope's name.
	Track string `json:"track"`
	// Name is the span's name when it ended, or the block's name.
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Function is fully qualified, as in code.function.name; empty when unknown.
	Function string `json:"function,omitempty"`
	// File is the path of the source file, as in code.file.path; empty when unknown.
	File string `json:"file,omitempty"`
	// Line is the line in File, 0 when unknown.
	Line int `json:"line,omitempty"`
}

// Compare orders sites by service, track, name, kind, function, file and line.
func (s Site) Compare(o Site) int {
	return cmp.Or(
		strings.Compare(s.Service, o.Service),
		strings.Compare(s.Track, o.Track),
		strings.Compare(s.Name, o.Name),
		cmp.Compare(s.Kind, o.Kind),
		strings.Compare(s.Function, o.Function),
		strings.Compare(s.File, o.File),
		cmp.Compare(s.Line, o.Line),
	)
}

// texts are the fields that are text.
func (s *Site) texts() [5]*string {
	return [...]*string{&s.Service, &s.Track, &s.Name, &s.Function, &s.File}
}

// Location returns "file:line", the function when the file is unknown, or "".
func (s Site) Location() string {
	switch {
	case s.File != "" && s.Line > 0:
		return s.File + ":" + strconv.Itoa(s.Line)
	case s.File != "":
		return s.File
	}
	return s.Function
}

// String returns "track/name", with the service, the kind and the location where they are known.
func (s Site) String() string {
	var b strings.Builder
	if s.Service != "" {
		b.WriteString(s.Service + ": ")
	}
	b.WriteString(s.Track)
	b.WriteByte('/')
	b.WriteString(s.Name)
	if s.Kind != KindUnspecified {
		b.WriteString(" (" + s.Kind.String() + ")")
	}
	if loc := s.Location(); loc != "" {
		b.WriteString(" at " + loc)
	}
	return b.String()
}
