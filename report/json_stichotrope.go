package report

import "github.com/stichotrope/stichotrope-go/core"

type stichotropeJSON struct {
	ProfilerName string                 `json:"profiler_name"`
	Tracks       []stichotropeJSONTrack `json:"tracks"`
}

type stichotropeJSONTrack struct {
	Index   int                    `json:"track_idx"`
	Name    string                 `json:"track_name"`
	Enabled bool                   `json:"enabled"`
	Blocks  []stichotropeJSONBlock `json:"blocks"`
}

type stichotropeJSONBlock struct {
	Name        string  `json:"name"`
	File        string  `json:"file"`
	Line        int     `json:"line"`
	HitCount    uint64  `json:"hit_count"`
	TotalTimeNS uint64  `json:"total_time_ns"`
	AvgTimeNS   float64 `json:"avg_time_ns"`
	MinTimeNS   uint64  `json:"min_time_ns"`
	MaxTimeNS   uint64  `json:"max_time_ns"`
}

func stichotropeDocument(s *core.Snapshot) stichotropeJSON {
	d := stichotropeJSON{ProfilerName: s.Name(), Tracks: []stichotropeJSONTrack{}}
	for i, t := range s.Tracks() {
		track := stichotropeJSONTrack{Index: i, Name: trackName(t.Service, t.Name), Enabled: t.Enabled, Blocks: []stichotropeJSONBlock{}}
		for j := range t.Blocks {
			site, st := t.Blocks[j].Site, &t.Blocks[j].Stats
			track.Blocks = append(track.Blocks, stichotropeJSONBlock{
				Name: site.Name, File: site.File, Line: site.Line, HitCount: st.Count, TotalTimeNS: st.Total,
				AvgTimeNS: st.Mean(), MinTimeNS: st.Min, MaxTimeNS: st.Max,
			})
		}
		d.Tracks = append(d.Tracks, track)
	}
	return d
}
