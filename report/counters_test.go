package report

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// TestCountersAreComplete sets each field of core.Counters in turn, so that a new one cannot be forgotten here.
func TestCountersAreComplete(t *testing.T) {
	fields := reflect.TypeFor[core.Counters]()
	for i := range fields.NumField() {
		var c core.Counters
		reflect.ValueOf(&c).Elem().Field(i).SetUint(7)
		var names []string
		for _, counter := range counters(c) {
			if counter.value == 7 {
				names = append(names, counter.name)
			}
		}
		tag, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		if tag == "spans" {
			require.Empty(t, names)
			continue
		}
		require.Equal(t, []string{tag}, names)
	}
}
