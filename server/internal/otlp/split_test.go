package otlp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServicesAreSplitByAttributes(t *testing.T) {
	for _, c := range []struct{ resource, want string }{
		{`{"key":"service.name","value":{"stringValue":"cart"}}`, "cart"},
		{`{"key":"service.version","value":{"stringValue":"1.2"}},{"key":"service.name","value":{"stringValue":"cart"}}`, "cart@1.2"},
		{`{"key":"service.name","value":{"stringValue":"cart"}},{"key":"env","value":{"stringValue":"prod"}}`, "cart@prod"},
		{`{"key":"env","value":{"stringValue":"prod"}},{"key":"service.name","value":{"stringValue":"cart"}},{"key":"service.version","value":{"stringValue":"1"}}`, "cart@1,prod"},
		{`{"key":"service.version","value":{"intValue":"7"}},{"key":"service.name","value":{"stringValue":"cart"}}`, "cart"},
		{`{"key":"service.version","value":{"stringValue":"1"}}`, "@1"},
		{``, ""},
	} {
		request, err := TracesFromJSON([]byte(`{"resourceSpans":[{"resource":{"attributes":[`+c.resource+`]},"scopeSpans":[{"spans":[{"name":"n"}]}]}]}`), 1<<20)
		require.NoError(t, err)
		w := Walker{Split: []string{"service.version", "env"}}
		var got []string
		visit := func(s *Span) error { got = append(got, string(s.Origin.Service)); return nil }
		require.NoError(t, w.Walk(append(request, request...), visit))
		require.Equal(t, []string{c.want, c.want}, got)
	}
	request, err := TracesFromJSON([]byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}},
		{"key":"env","value":{"stringValue":"prod"}}]},"scopeSpans":[{"spans":[{"name":"n"}]}]}]}`), 1<<20)
	require.NoError(t, err)
	w := Walker{Split: []string{"service.version", "env"}}
	visit := func(*Span) error { return nil }
	require.NoError(t, w.Walk(request, visit))
	if !raceDetector {
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = w.Walk(request, visit) }))
	}
}
