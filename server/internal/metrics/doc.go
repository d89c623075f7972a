// Package metrics shows how the server is: its figures for Prometheus, whether it lives, and whether it is ready.
//
// Parts of the server keep counters of their own and know nothing of Prometheus. A [Set] asks them when somebody looks:
// [Set.Report] and [Set.Check] make a part known. The statistics of spans can be among the metrics too, under the names that
// dashboards for other tools expect: see [Set.Spans].
//
// A Set may be used by any number of goroutines.
package metrics
