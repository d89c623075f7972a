package query_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
)

func TestFilterSelects(t *testing.T) {
	e := newEngine()
	for text, want := range map[string][]core.Site{
		"":                                   sites,
		"CART":                               {querytest.AddItem, querytest.Select},
		"service:cart":                       {querytest.AddItem, querytest.Select},
		"service=car":                        {},
		"service=cart -kind:client":          {querytest.AddItem},
		`service="pay ment/ü"`:               {querytest.Charge},
		`"PAY MENT"`:                         {querytest.Charge},
		"Service:PAY":                        {querytest.Charge},
		"track:grpc":                         {querytest.AddItem, querytest.Charge},
		"kind=server":                        {querytest.Checkout, querytest.AddItem, querytest.Charge},
		"file:render.go function:SHOP":       {querytest.Render},
		`name:"\"a\\b\""`:                    {querytest.Render},
		"-net/http -html":                    {querytest.AddItem, querytest.Select, querytest.Charge},
		"errors>0":                           {querytest.AddItem, querytest.Charge},
		"errors>=20 errors<=20":              {querytest.AddItem},
		"error_rate>=10%":                    {querytest.AddItem, querytest.Charge},
		"error_rate=0.1":                     {querytest.AddItem},
		"error_rate<5%":                      {querytest.Checkout, querytest.Call, querytest.Render, querytest.Select},
		"count<100":                          {querytest.Charge},
		"adjusted_count=300":                 {querytest.Select},
		"rate<0.3":                           {querytest.Charge},
		"min>20ms p99<40000us":               {querytest.Charge},
		"max>=20ms -errors>0":                {querytest.Checkout},
		"critical>2s":                        {querytest.Charge},
		"p50>0s total>0s self>0s p999>0s":    sites,
		"mean>0s stddev>0s p90>0s p95>0s":    sites,
		" \t kind:client   p95<1h bytes=0\n": {querytest.Call, querytest.Select},
	} {
		f, err := query.ParseFilter(text)
		require.NoError(t, err, text)
		got, err := e.Blocks(t.Context(), query.BlocksQuery{Within: minutes(0, 5), Filter: f})
		require.NoError(t, err)
		names := []core.Site{}
		for _, b := range got.Blocks {
			names = append(names, b.Site)
		}
		require.ElementsMatch(t, want, names, "%q", text)
	}
}

func TestFilterErrors(t *testing.T) {
	for text, message := range map[string]string{
		`"open`:                         "not closed",
		`name="open`:                    "not closed",
		`""`:                            "empty term",
		"-":                             "empty term",
		"p99>20":                        "duration with a unit",
		"p99>-1ms":                      "duration with a unit",
		"p99>":                          "duration with a unit",
		"errors>many":                   "not a number",
		"error_rate>x%":                 "number or percentage",
		"beauty>1":                      `unknown key "beauty"`,
		"name>a":                        "it has no >",
		"errors:5":                      "it has no :",
		strings.Repeat("a", 5000):       "4096",
		strings.Repeat("a ", 100):       "more than 64 terms",
		"\u202e>1":                      `"\u202e"`,
		strings.Repeat("k", 300) + ">1": "…",
	} {
		_, err := query.ParseFilter(text)
		var asked *query.Error
		require.ErrorAs(t, err, &asked, text)
		require.Contains(t, asked.Message, message)
		require.NotEmpty(t, asked.Hint)
	}
}

// FuzzParameters parses everything that comes as text in a request. What is accepted must also work.
func FuzzParameters(f *testing.F) {
	for _, text := range []string{"", "a b", `name="a\"b"`, "-p99>20ms errors>=1%", "15m", "7d", "2026-03-01T12:00:00Z", "-1s", "1e400d", "\xff>1", ":=<>"} {
		f.Add(text, text)
	}
	s := &core.Stats{Count: 1, Histogram: core.Histogram{Zero: 1}}
	f.Fuzz(func(t *testing.T, a, b string) {
		if filter, err := query.ParseFilter(a); err == nil {
			got := filter.Match(querytest.Render, s, 60)
			negated, err := query.ParseFilter(fmt.Sprintf("%s %s", a, a))
			if err == nil { // else it is too long
				require.Equal(t, got, negated.Match(querytest.Render, s, 60), "a term twice means what it means once")
			}
		}
		if d, err := query.ParseDuration(a); err == nil {
			require.GreaterOrEqual(t, d, time.Duration(0))
		}
		if p, err := query.ParsePeriod(a, b, now); err == nil {
			require.True(t, p.From.IsZero() || p.From.Before(p.To))
			grown := query.WholeMinutes(p)
			require.False(t, grown.From.After(p.From))
			require.False(t, grown.To.Before(p.To))
		}
	})
}
