package otelproftest_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/otelprof/otelproftest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// requireGolden compares a message with testdata/name.txt.
func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got+"\n")
}

// messageCase is a use of the shop, assertions that fail, with their messages in a golden file, and assertions that hold.
type messageCase struct {
	name   string
	use    func(ctx context.Context, s *shop)
	assert func(rec *otelproftest.Recorder)
	holds  func(rec *otelproftest.Recorder)
}

func useCategory(ctx context.Context, s *shop) {
	s.category(ctx, 2)
	s.category(ctx, 20)
	s.category(ctx, 3)
}

func useFailing(ctx context.Context, s *shop) {
	s.fail = 2
	useCategory(ctx, s)
}

// useDirect runs queries in a loop right below the request.
func useDirect(ctx context.Context, s *shop) {
	for _, n := range []int{1, 7, 2} {
		ctx, span := s.provider.Tracer("http").Start(ctx, "GET /cart")
		for range n {
			s.query(ctx, "SELECT item")
		}
		span.End()
	}
}

func useRender(ctx context.Context, s *shop) { s.render(ctx, 5) }

func useOpen(ctx context.Context, s *shop) {
	ctx, _ = s.provider.Tracer("http").Start(ctx, "GET /cart")
	s.query(ctx, "SELECT item")
	s.query(ctx, "SELECT item")
}

var cases = []messageCase{
	{
		name: "per_parent", use: useDirect,
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT item").AtMostPerParent(3) },
		holds:  func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT item").AtMostPerParent(7) },
	}, {
		name: "per_call_of", use: useCategory,
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT product").AtMostPerCallOf(rec.Site("http", "GET /categories/{name}"), 2)
		},
		holds: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT product").AtMostPerCallOf(rec.Site("http", "*"), 20)
			rec.Site("sql", "SELECT product").AtMostPerParent(1)
			rec.Site("sql", "SELECT category").AtMostPerCallOf(rec.Site("shop", "load product"), 0)
		},
	}, {
		name: "per_parent_block", use: useRender,
		assert: func(rec *otelproftest.Recorder) { rec.Site("view", "part").AtMostPerParent(4) },
		holds:  func(rec *otelproftest.Recorder) { rec.Site("view", "part").AtMostPerParent(5) },
	}, {
		name: "per_call_of_block", use: useRender,
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("view", "part").AtMostPerCallOf(rec.Site("view", "page"), 4)
		},
		holds: func(rec *otelproftest.Recorder) {
			rec.Site("view", "part").AtMostPerCallOf(rec.Site("view", "page"), 5)
		},
	}, {
		name: "per_parent_open", use: useOpen,
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT item").AtMostPerParent(1) },
		holds:  func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT item").AtMostPerParent(2) },
	}, {
		name: "per_parent_without", use: func(ctx context.Context, s *shop) { s.query(ctx, "SELECT item") },
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "*").AtMostPerParent(1) },
	}, {
		name: "per_call_of_outside", use: useCategory,
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT category").AtMostPerCallOf(rec.Site("shop", "load product"), 1)
		},
	}, {
		name: "per_call_of_never", use: useCategory,
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT product").AtMostPerCallOf(rec.Site("http", "GET /"), 1)
			rec.Site("sql", "SELECT").AtMostPerCallOf(rec.Site("http", "GET /"), 1)
		},
	}, {
		name: "calls", use: useCategory,
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT category").Calls(2).Calls(-1) },
		holds: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT category").Calls(3).MinCalls(3).MaxCalls(3).MinCalls(-1)
			rec.Site("sql", "*").Calls(28)
			rec.Site("*", "SELECT product").Calls(25)
			rec.Site("*", "*").MinCalls(56)
		},
	}, {
		name: "never_called", use: useCategory,
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT").MinCalls(1).NoErrors().AtMostPerParent(1).TotalUnder(time.Hour).QuantileUnder(0.5, time.Hour)
		},
		holds: func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT").MaxCalls(5).Calls(0) },
	}, {
		name: "max_calls", use: useCategory,
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "*").MaxCalls(10) },
	}, {
		name: "min_calls", use: useDirect,
		assert: func(rec *otelproftest.Recorder) { rec.Site("*", "*").MinCalls(100) },
	}, {
		name: "no_errors_site", use: useFailing,
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "*").NoErrors() },
		holds:  func(rec *otelproftest.Recorder) { rec.Site("http", "*").NoErrors() },
	}, {
		name: "no_errors", use: useFailing,
		assert: func(rec *otelproftest.Recorder) { rec.NoErrors() },
	}, {
		name: "no_errors_block",
		use: func(ctx context.Context, s *shop) {
			s.profiler.Block(ctx, "view", "page").EndErr(context.Canceled)
		},
		assert: func(rec *otelproftest.Recorder) { rec.NoErrors() },
	}, {
		name: "total", use: useCategory,
		assert: func(rec *otelproftest.Recorder) { rec.Site("sql", "SELECT product").TotalUnder(250 * time.Millisecond) },
		holds: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "SELECT product").TotalUnder(251 * time.Millisecond)
			rec.NoErrors()
			rec.AllEnded()
		},
	}, {
		name: "quantile", use: useCategory,
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("http", "*").QuantileUnder(1, 210*time.Millisecond).QuantileUnder(0.995, time.Millisecond).QuantileUnder(99, 1)
		},
		holds: func(rec *otelproftest.Recorder) {
			rec.Site("http", "*").QuantileUnder(1, 211*time.Millisecond).QuantileUnder(0.5, 41*time.Millisecond)
		},
	}, {
		name: "exactly_sites", use: useCategory,
		assert: func(rec *otelproftest.Recorder) {
			rec.ExactlySites(rec.Site("http", "*"), rec.Site("sql", "SELECT category"), rec.Site("cache", "GET"), rec.Site("cache", "*"))
		},
		holds: func(rec *otelproftest.Recorder) {
			rec.ExactlySites(rec.Site("http", "*"), rec.Site("*", "load product"), rec.Site("sql", "*"))
		},
	}, {
		name: "exactly_sites_missing", use: useDirect,
		assert: func(rec *otelproftest.Recorder) {
			rec.ExactlySites(rec.Site("http", "*"), rec.Site("sql", "*"), rec.Site("*", "GET"))
		},
	}, {
		name: "all_ended", use: useOpen,
		assert: func(rec *otelproftest.Recorder) { rec.AllEnded() },
	}, {
		name: "nothing", use: func(context.Context, *shop) {},
		assert: func(rec *otelproftest.Recorder) { rec.Site("*", "*").NoErrors(); rec.Site("sql", "*").Calls(1) },
		holds:  func(rec *otelproftest.Recorder) { rec.ExactlySites(); rec.NoErrors(); rec.AllEnded() },
	}, {
		name: "hostile",
		use: func(ctx context.Context, s *shop) {
			name := "a\x1b[2J\u202eb\xff\n" + strings.Repeat("é", 300)
			ctx, span := s.provider.Tracer("x\r\ny").Start(ctx, name)
			s.query(ctx, name)
			s.query(ctx, "")
			span.End()
		},
		assert: func(rec *otelproftest.Recorder) {
			rec.Site("sql", "*").MaxCalls(1)
			rec.ExactlySites()
		},
	},
}

// TestMessages compares every message with its golden file. Time stands still but for the queries, which take exactly
// 10 ms, so that all figures are known.
func TestMessages(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				rec := otelproftest.Start(fake)
				c.use(t.Context(), &shop{provider: rec.TracerProvider(), profiler: rec.Profiler(), queryTime: 10 * time.Millisecond})
				if c.holds != nil {
					c.holds(rec)
					require.Empty(t, fake.take())
				}
				c.assert(rec)
				requireGolden(t, c.name, fake.take())
			})
		})
	}
}

// TestMessagesAreBounded lets a test go wild.
func TestMessagesAreBounded(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	tracer := rec.TracerProvider().Tracer("a")
	ctx, root := tracer.Start(t.Context(), "root")
	for i := range 500 {
		_, span := tracer.Start(ctx, fmt.Sprintf("span %03d %s", i, strings.Repeat("x", i)))
		span.End()
	}
	root.End()
	rec.Site("a", "*").MaxCalls(1)
	require.Contains(t, fake.messages[0], "… and more")
	rec.ExactlySites(rec.Site("*", "root"))
	require.Contains(t, fake.messages[1], "and 480 more")
	rec.Site("b", "*").NoErrors()
	require.Contains(t, fake.messages[2], "and 481 more")
	for i := range 500 {
		tracer.Start(ctx, strings.Repeat("x", i))
	}
	rec.AllEnded()
	require.Contains(t, fake.messages[3], "and 480 more")
	require.Len(t, fake.messages, 4)
	require.Less(t, len(fake.take()), 100_000)
	require.Equal(t, 500, int(rec.Site("a", "*").Stats().Active))
}

// TestAtMostPerParentFindsTheOneBadCall proves that single calls are looked at and not averages.
func TestAtMostPerParentFindsTheOneBadCall(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	s := &shop{provider: rec.TracerProvider()}
	for i := range 1000 {
		ctx, span := rec.TracerProvider().Tracer("http").Start(t.Context(), "GET")
		s.query(ctx, "SELECT")
		if i == 500 {
			s.query(ctx, "SELECT")
		}
		span.End()
	}
	rec.Site("sql", "SELECT").AtMostPerParent(1)
	require.Contains(t, fake.take(), `was called 2 times within one call of its parent "GET" [http], want at most 1, and more than that in 1 of 1000 calls`)
}

// TestRemoteParentsAreNoParents: a call in another process is not one of the profile.
func TestRemoteParentsAreNoParents(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: [16]byte{1}, SpanID: [8]byte{1}, Remote: true})
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), remote)
	s := &shop{provider: rec.TracerProvider()}
	s.query(ctx, "SELECT")
	s.query(ctx, "SELECT")
	rec.Site("sql", "SELECT").AtMostPerParent(1)
	require.Contains(t, fake.take(), "has a parent that has ended, so that there is nothing to check")
}

// TestSpansBelowBlocks: a span whose parent is a block in no span counts per call of the block, on average.
func TestSpansBelowBlocks(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	s := &shop{provider: rec.TracerProvider()}
	block := rec.Profiler().Block(t.Context(), "job", "import")
	for range 3 {
		s.query(block.Context(), "INSERT")
	}
	block.End()
	rec.Site("sql", "INSERT").AtMostPerParent(3).AtMostPerCallOf(rec.Site("job", "import"), 3)
	require.Empty(t, fake.take())
	rec.Site("sql", "INSERT").AtMostPerParent(2)
	require.Contains(t, fake.take(), `3 times on average within a call of its parent "import" [job], want at most 2`)
}

// TestBelowAnOpenBlock: a block that is open counts as one call, as soon as the tree has what is below it.
func TestBelowAnOpenBlock(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake, otelproftest.WithProfiler(otelprof.WithLimits(core.Limits{MaxPending: 1})))
	loop := rec.Profiler().Block(t.Context(), "worker", "main loop")
	for range 4 {
		rec.Profiler().Block(loop.Context(), "worker", "job").End()
	}
	settled := rec.Snapshot().Nodes[1].Stats.Count
	require.Greater(t, settled, uint64(1))
	rec.Site("worker", "job").AtMostPerParent(int(settled))
	require.Empty(t, fake.take())
	rec.Site("worker", "job").AtMostPerParent(int(settled) - 1)
	require.Contains(t, fake.take(), `times on average within a call of its parent "main loop" [worker]`)
	loop.End()
}

func TestNormalizedNames(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake, otelproftest.WithProfiler(otelprof.WithNormalizeNames(true)))
	s := &shop{provider: rec.TracerProvider()}
	ctx, span := rec.TracerProvider().Tracer("http").Start(t.Context(), "GET /users/17")
	s.query(ctx, "GET /item/1001")
	s.query(ctx, "GET /item/1002")
	span.End()
	name := rec.Snapshot().Site(rec.Snapshot().Nodes[1]).Name
	require.NotEqual(t, "GET /item/1001", name)
	rec.Site("sql", name).Calls(2).AtMostPerParent(1)
	require.Contains(t, fake.take(), "was called 2 times within one call of its parent")
}
