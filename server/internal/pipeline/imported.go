package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Profiles that an in-process profiler sends as spans (exporter.Tracks) are traces whose spans all stand for something in a
// profile. Such spans did not happen: they are kept as any others, but what is counted is the profile that they encode. It
// stands under a service of its own, so that what the service also sends as raw spans is not counted twice: ADR 8.

// isProfile reports whether a trace is a profile.
func (t *trace) isProfile() bool {
	for s := range t.all {
		if !s.profile {
			return false
		}
	}
	return true
}

// maxImported is how many blocks and nodes of profiles an open segment takes, as a multiple of Config.MaxNodes.
const maxImported = 8

// importProfile adds the profile that a trace is to a segment. order are the spans that count. The caller holds the cut.
func (p *Pipeline) importProfile(g *segment, t *trace, order []int32) {
	if len(order) == 0 {
		return // all of it came before
	}
	imported, size, err := readProfiles(t, order)
	if err == nil && g.importedSize+size > maxImported*p.config.MaxNodes {
		err = fmt.Errorf("no room: %d blocks and nodes of profiles came before it", g.importedSize)
	}
	if err != nil {
		p.counts.profilesFailed.Add(1)
		p.config.Log.Warn("A profile that came as spans cannot be read. Its spans are kept, and counted nowhere.",
			"error", err, "trace", t.id, "spans", len(order))
		return
	}
	p.counts.profiles.Add(uint64(len(imported)))
	g.profiles = append(g.profiles, imported...)
	g.importedSize += size
}

// readProfiles returns the profiles in a trace, and how many blocks and nodes they have.
func readProfiles(t *trace, order []int32) (profiles []store.Profile, size int, err error) {
	spans := make([]*tracepb.Span, len(order))
	raw := make([]rawSpan, len(order))
	for at, i := range order {
		raw[at] = t.spans[i].raw(t.id)
	}
	err = eachRaw(raw, func(at int, bytes []byte) error {
		spans[at] = &tracepb.Span{}
		return proto.Unmarshal(bytes, spans[at])
	})
	if err != nil {
		return nil, 0, err
	}
	found, err := exporter.ReadSpans([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
	if err != nil {
		return nil, 0, err
	}
	if len(found) == 0 {
		return nil, 0, errors.New("there is none")
	}
	service := t.spans[order[0]].site.Service
	for _, s := range found {
		ended := store.FloorMinute(store.Nanos(s.End) - 1)
		profiles = append(profiles, profileOf(ended, importedAs(service, s)))
		size += len(s.Blocks) + len(s.Nodes)
	}
	return profiles, size, nil
}

// importedAs returns a profile as one of a service with the suffix of profiles. Services that the profile itself names get
// the suffix as well.
func importedAs(service string, s *core.Snapshot) *core.Snapshot {
	own := *s
	own.Names = nil
	own.Start, own.End = time.Time{}, time.Time{}
	own.Blocks = make([]core.Block, len(s.Blocks))
	for i, b := range s.Blocks {
		name := b.Site.Service
		if name == "" {
			name = service
		}
		b.Site.Service = suffixed(name)
		b.Stats.Active = 0 // what was open then is not open for ever
		own.Blocks[i] = b
	}
	return core.Merge(&own) // puts blocks and nodes in order again
}

// suffixed returns the name of a service with the suffix of profiles, which stands before what services are split by.
func suffixed(name string) string {
	const suffix = exporter.DefaultTracksServiceSuffix
	if strings.HasSuffix(name, suffix) {
		return name
	}
	name, values, split := strings.Cut(name, string(otlp.SplitMark))
	name = strings.TrimSuffix(name, suffix) + suffix
	if split {
		name += string(otlp.SplitMark) + values
	}
	return name
}
