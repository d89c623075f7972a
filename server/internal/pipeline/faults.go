package pipeline

import (
	"sync/atomic"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// faultNames are the names under which it is counted what was wrong with a part of a request, by what clients are told.
var faultNames = [...]struct{ reason, name string }{
	{otlp.BadTraceID, "trace_id"},
	{otlp.BadSpanID, "span_id"},
	{otlp.BadParentID, "parent_span_id"},
	{TooOld, "too_old"},
	{InFuture, "in_future"},
	{otlp.CutName, "name_cut"},
	{otlp.CutValue, "value_cut"},
	{otlp.MendedText, "text_mended"},
	{otlp.DroppedTooDeep, "too_deep"},
	{otlp.DroppedTooLong, "too_long"},
	{otlp.DroppedTooMany, "too_many"},
}

// faults counts them, in the order of faultNames.
type faults [len(faultNames)]atomic.Uint64

func (f *faults) add(reasons map[string]int) {
	if len(reasons) == 0 {
		return
	}
	for i := range faultNames {
		if n := reasons[faultNames[i].reason]; n > 0 {
			f[i].Add(uint64(n))
		}
	}
}

func (f *faults) read() map[string]uint64 {
	all := make(map[string]uint64, len(f))
	for i := range f {
		all[faultNames[i].name] = f[i].Load()
	}
	return all
}
