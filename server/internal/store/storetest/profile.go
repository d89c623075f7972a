package storetest

import (
	"maps"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// AddProfiles makes the profiles of the segment's spans, as the pipeline would, though without their tree: every span is a
// root, and a quarter of its time is that of others. Of three minutes in four, self times are known one by one.
func (m *Made) AddProfiles() {
	minutes := map[int64]*core.Aggregator{}
	for i := range m.Spans {
		s := &m.Spans[i]
		minute := store.FloorMinute(s.Start + s.Duration)
		a := minutes[minute]
		if a == nil {
			var err error
			if a, err = core.New(core.Config{SelfHistograms: minute%4 != 0}); err != nil {
				panic(err) // the Config is valid
			}
			minutes[minute] = a
		}
		label := a.Label(core.Site{Service: s.Service, Track: "shop", Name: s.Name, Kind: s.Kind})
		a.RecordTrace(s.Trace, []core.TraceSpan{{
			Label: label, Start: s.Start, Duration: s.Duration, Self: uint64(s.Duration) / 4 * 3, Parent: -1, Span: s.ID, Failed: s.Failed, Sampled: true,
		}})
	}
	for _, minute := range slices.Sorted(maps.Keys(minutes)) {
		m.Profiles = append(m.Profiles, store.Profile{Minute: minute, Snapshot: minutes[minute].Snapshot()})
	}
}
