package daemon

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/forward"
	"github.com/stichotrope/stichotrope-go/server/internal/listen"
	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/profiles"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

// number sets every exported field of a struct of counters to another number, and returns the numbers.
func number(t *testing.T, counters any) (numbers []float64) {
	t.Helper()
	v := reflect.ValueOf(counters).Elem()
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		n := 1000 + i
		switch f := v.Field(i).Addr().Interface().(type) {
		case *atomic.Int64:
			f.Store(int64(n))
		case *uint64:
			*f = uint64(n)
		case *int64:
			*f = int64(n)
		case *int:
			*f = n
		case *map[string]uint64:
			*f = map[string]uint64{"something": uint64(n)}
		case *time.Time:
			*f = time.Unix(int64(n), 0)
		default:
			t.Fatalf("no number for a %T", f)
		}
		numbers = append(numbers, float64(n))
	}
	return numbers
}

// TestEveryCounterIsAFigure fails when somebody adds a counter and does not report it.
func TestEveryCounterIsAFigure(t *testing.T) {
	var received receiver.Counters
	var piped pipeline.Counters
	var size store.Size
	var pebble pebblestore.Counters
	var guard listen.Guard
	var listener listen.Counters
	var forwarded forward.Counters
	var profiled profiles.Counters
	want := map[string][]float64{
		"receiver": number(t, &received), "pipeline": number(t, &piped), "size": number(t, &size), "pebble": number(t, &pebble),
		"guard": number(t, &guard), "listener": number(t, &listener), "forward": number(t, &forwarded),
		"profiles": number(t, &profiled),
	}
	for part, values := range map[string][]metrics.Value{
		"receiver": receiverFigures(&received), "pipeline": pipelineFigures(piped), "size": sizeFigures(size), "pebble": pebbleFigures(pebble),
		"guard": guardFigures(&guard), "listener": listenerFigures("http", &listener), "forward": forwardFigures(&forwarded),
		"profiles": profileFigures(&profiled),
	} {
		var have []float64
		for _, v := range values {
			have = append(have, v.Value)
		}
		require.ElementsMatch(t, want[part], have, part)
	}
}

func TestSpanWindowBeginsAnewBeforeTheStoreForgets(t *testing.T) {
	began := time.Unix(1_000_000, 0).Truncate(time.Minute)
	w := spanWindow{since: began, retention: 2 * time.Hour}
	require.Equal(t, began, w.from(began.Add(59*time.Minute)))
	require.Equal(t, began.Add(time.Hour), w.from(began.Add(time.Hour+time.Second)))
	w = spanWindow{since: began}
	require.Equal(t, began, w.from(began.Add(23*time.Hour)))
	require.Equal(t, began.Add(24*time.Hour), w.from(began.Add(24*time.Hour)))
}
