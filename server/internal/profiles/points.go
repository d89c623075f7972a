package profiles

import metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

// countPoints returns how many data points there are.
func countPoints(scope *metricspb.ScopeMetrics) (n int) {
	for _, m := range scope.GetMetrics() {
		n += len(m.GetGauge().GetDataPoints()) + len(m.GetSum().GetDataPoints()) + len(m.GetHistogram().GetDataPoints()) +
			len(m.GetExponentialHistogram().GetDataPoints()) + len(m.GetSummary().GetDataPoints())
	}
	return n
}

// isCumulative reports whether the profile is the state since its start. A Producer makes all sums and histograms of one
// temporality; but those that only go up and down, whose sums are always cumulative.
func isCumulative(scope *metricspb.ScopeMetrics) bool {
	const cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	for _, m := range scope.GetMetrics() {
		if m.GetExponentialHistogram().GetAggregationTemporality() == cumulative ||
			m.GetSum().GetIsMonotonic() && m.GetSum().GetAggregationTemporality() == cumulative {
			return true
		}
	}
	return false
}
