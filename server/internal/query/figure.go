package query

import (
	"maps"
	"slices"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// unit is what a figure counts.
type unit uint8

const (
	number unit = iota
	nanoseconds
	ratio
)

// figure is one number of a block's statistics, to sort and to filter by.
type figure struct {
	unit  unit
	value func(s *core.Stats, seconds float64) float64
}

// figures are all of them by name.
var figures = map[string]figure{
	"count":          {number, func(s *core.Stats, _ float64) float64 { return float64(s.Count) }},
	"adjusted_count": {number, func(s *core.Stats, _ float64) float64 { return s.AdjustedCount() }},
	"errors":         {number, func(s *core.Stats, _ float64) float64 { return float64(s.Errors) }},
	"error_rate":     {ratio, func(s *core.Stats, _ float64) float64 { return s.ErrorRate() }},
	"rate":           {number, rate},
	"bytes":          {number, func(s *core.Stats, _ float64) float64 { return float64(s.Bytes) }},
	"total":          {nanoseconds, func(s *core.Stats, _ float64) float64 { return float64(s.Total) }},
	"self":           {nanoseconds, func(s *core.Stats, _ float64) float64 { return float64(s.Self) }},
	"critical":       {nanoseconds, func(s *core.Stats, _ float64) float64 { return float64(s.Critical) }},
	"min":            {nanoseconds, func(s *core.Stats, _ float64) float64 { return float64(s.Min) }},
	"mean":           {nanoseconds, func(s *core.Stats, _ float64) float64 { return s.Mean() }},
	"stddev":         {nanoseconds, func(s *core.Stats, _ float64) float64 { return s.StdDev() }},
	"p50":            {nanoseconds, quantile(0.5)},
	"p90":            {nanoseconds, quantile(0.9)},
	"p95":            {nanoseconds, quantile(0.95)},
	"p99":            {nanoseconds, quantile(0.99)},
	"p999":           {nanoseconds, quantile(0.999)},
	"max":            {nanoseconds, func(s *core.Stats, _ float64) float64 { return float64(s.Max) }},
}

func quantile(q float64) func(*core.Stats, float64) float64 {
	return func(s *core.Stats, _ float64) float64 { return s.Quantile(q) }
}

func rate(s *core.Stats, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(s.Count) / seconds
}

// figureNames lists the figures for messages.
func figureNames() string { return strings.Join(slices.Sorted(maps.Keys(figures)), ", ") }
