package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// SortKey says by which statistic rows are ordered: the largest first, except for SortName. Rows with the same
// value are in ascending order of their sites. The zero value stands for the default of the report.
type SortKey string

// The keys to sort by.
const (
	SortTotal  SortKey = "total"
	SortSelf   SortKey = "self"
	SortCount  SortKey = "count"
	SortP99    SortKey = "p99"
	SortErrors SortKey = "errors"
	SortMean   SortKey = "mean"
	SortMax    SortKey = "max"
	SortName   SortKey = "name"
)

// SortKeys returns all keys.
func SortKeys() []SortKey {
	return []SortKey{SortTotal, SortSelf, SortCount, SortP99, SortErrors, SortMean, SortMax, SortName}
}

// or returns k, or fallback if k is the zero value, or an error that names the keys if k is none of them.
func (k SortKey) or(fallback SortKey) (SortKey, error) {
	if k == "" {
		return fallback, nil
	}
	keys := SortKeys()
	if slices.Contains(keys, k) {
		return k, nil
	}
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = string(keys[i])
	}
	return "", fmt.Errorf("cannot sort by %q, want one of %s", string(k), strings.Join(names, ", "))
}

// value returns what rows are ordered by, 0 for SortName.
func (k SortKey) value(s *core.Stats) float64 {
	switch k {
	case SortTotal:
		return float64(s.Total)
	case SortSelf:
		return float64(s.Self)
	case SortCount:
		return float64(s.Count)
	case SortP99:
		return s.Quantile(0.99)
	case SortErrors:
		return float64(s.Errors)
	case SortMean:
		return s.Mean()
	case SortMax:
		return float64(s.Max)
	}
	return 0
}

// order returns the numbers below n ordered by the key. They must stand for statistics in ascending order of
// site, which the order keeps where values are equal.
func (k SortKey) order(n int, stats func(i int) *core.Stats) []int {
	order, values := make([]int, n), make([]float64, n)
	for i := range order {
		order[i], values[i] = i, k.value(stats(i))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return order
}
