package report

import (
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// CSVOptions are the options of [CSV].
type CSVOptions struct {
	// Stichotrope writes the columns of Stichotrope and CppProfiler and no others, for tools that read those.
	Stichotrope bool
}

// CSV writes a header and a record for each block, in ascending order of site. All durations are nanoseconds;
// moments are RFC 3339 in UTC, and empty if there are none. The columns are:
//
//	track,name,kind,function,file,line,count,errors,total_ns,self_ns,self_percent,mean_ns,stddev_ns,min_ns,
//	p50_ns,p90_ns,p95_ns,p99_ns,p999_ns,max_ns,bytes,active,pending,first_seen,last_seen,
//	slowest_trace_id,slowest_span_id,last_error_trace_id,last_error_span_id
//
// and, only where there are services and critical paths, service and critical_ns. New columns will be added at the end.
// With the option Stichotrope they are:
//
//	Track,Block Name,Hit Count,Total Time (ns),Avg Time (ns),Min Time (ns),Max Time (ns),% Track,% Total
//
// where the percentages are shares of the sum of the total times, with two decimals, and a track of a service is
// "service/track".
//
// Spreadsheets run text that begins like a formula, so a name that begins with =, +, -, @ or one of their
// fullwidth forms is written with an apostrophe before it. Control and invisible characters and invalid UTF-8 are
// written as escapes such as \n: a record is always one line. JSON carries names unchanged.
func CSV(w io.Writer, s *core.Snapshot, o CSVOptions) error {
	cw := csv.NewWriter(w)
	if o.Stichotrope {
		writeStichotropeCSV(cw, s)
	} else {
		writeCSV(cw, s)
	}
	cw.Flush()
	if err := cw.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// The errors of cw.Write below are kept by cw and come back from cw.Error.

func writeCSV(cw *csv.Writer, s *core.Snapshot) {
	x := extrasOf(s)
	cw.Write(x.csv([]string{
		"track", "name", "kind", "function", "file", "line", "count", "errors", "total_ns", "self_ns", "self_percent",
		"mean_ns", "stddev_ns", "min_ns", "p50_ns", "p90_ns", "p95_ns", "p99_ns", "p999_ns", "max_ns", "bytes", "active",
		"pending", "first_seen", "last_seen", "slowest_trace_id", "slowest_span_id", "last_error_trace_id",
		"last_error_span_id",
	}, "service", "critical_ns"))
	self := totalSelf(s)
	for i := range s.Blocks {
		b := &s.Blocks[i]
		st := &b.Stats
		cw.Write(x.csv([]string{
			csvText(b.Site.Track), csvText(b.Site.Name), b.Site.Kind.String(), csvText(b.Site.Function),
			csvText(b.Site.File), strconv.Itoa(b.Site.Line),
			csvUint(st.Count), csvUint(st.Errors), csvUint(st.Total), csvUint(st.Self),
			csvPercent(float64(st.Self), self), csvFloat(st.Mean()), csvFloat(st.StdDev()), csvUint(st.Min),
			csvFloat(st.Quantile(0.5)), csvFloat(st.Quantile(0.9)), csvFloat(st.Quantile(0.95)),
			csvFloat(st.Quantile(0.99)), csvFloat(st.Quantile(0.999)), csvUint(st.Max),
			csvUint(st.Bytes), strconv.FormatInt(st.Active, 10), strconv.FormatInt(b.Pending, 10),
			csvMoment(st.Count, st.First), csvMoment(st.Count, st.Last),
			csvID(st.Slowest, st.Slowest.Trace[:]), csvID(st.Slowest, st.Slowest.Span[:]),
			csvID(st.LastError, st.LastError.Trace[:]), csvID(st.LastError, st.LastError.Span[:]),
		}, csvText(b.Site.Service), csvUint(st.Critical)))
	}
}

// csv appends to a record what not every profile has.
func (x extras) csv(record []string, service, critical string) []string {
	if x.service {
		record = append(record, service)
	}
	if x.critical {
		record = append(record, critical)
	}
	return record
}

func writeStichotropeCSV(cw *csv.Writer, s *core.Snapshot) {
	cw.Write([]string{
		"Track", "Block Name", "Hit Count", "Total Time (ns)", "Avg Time (ns)", "Min Time (ns)", "Max Time (ns)",
		"% Track", "% Total",
	})
	tracks := s.Tracks()
	var total float64
	for i := range tracks {
		total += float64(tracks[i].Stats.Total)
	}
	for i := range tracks {
		for j := range tracks[i].Blocks {
			b := &tracks[i].Blocks[j]
			st := &b.Stats
			cw.Write([]string{
				csvText(trackName(b.Site.Service, b.Site.Track)), csvText(b.Site.Name), csvUint(st.Count), csvUint(st.Total),
				strconv.FormatFloat(st.Mean(), 'f', 0, 64), csvUint(st.Min), csvUint(st.Max),
				csvPercent(float64(st.Total), float64(tracks[i].Stats.Total)), csvPercent(float64(st.Total), total),
			})
		}
	}
}

// csvText returns a name that no spreadsheet takes for a formula. visible leaves no tab and no carriage return,
// which spreadsheets skip to find a formula behind them.
func csvText(s string) string {
	s = visible(s)
	for _, prefix := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(s, prefix) {
			return "'" + s
		}
	}
	return s
}

func csvUint(n uint64) string { return strconv.FormatUint(n, 10) }

func csvFloat(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func csvPercent(part, whole float64) string {
	if whole <= 0 {
		return "0.00"
	}
	return strconv.FormatFloat(100*part/whole, 'f', 2, 64)
}

// csvMoment returns the moment ns, or "" if it is not one because nothing was counted.
func csvMoment(count uint64, ns int64) string {
	if count == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

func csvID(e core.Exemplar, id []byte) string {
	if e.IsZero() {
		return ""
	}
	return hex.EncodeToString(id)
}
