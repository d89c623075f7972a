package otelproftest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/otelprof/otelproftest"
)

// showCart loads the items of a cart one by one.
func showCart(ctx context.Context, tracer trace.Tracer, items int) {
	ctx, span := tracer.Start(ctx, "GET /cart")
	defer span.End()
	for range items {
		_, query := tracer.Start(ctx, "SELECT item")
		query.End()
	}
}

func Example() {
	t := &printingTB{} // in a test it is the *testing.T
	rec := otelproftest.Start(t)
	showCart(context.Background(), rec.TracerProvider().Tracer("shop"), 20)

	rec.Site("shop", "GET /cart").Calls(1).NoErrors().QuantileUnder(0.99, time.Minute)
	rec.Site("shop", "SELECT item").AtMostPerParent(1)
	// Output:
	// otelproftest: "SELECT item" [shop] at otelproftest/example_test.go:19 was called 20 times within one call of its parent "GET /cart" [shop], want at most 1; is this an N+1?
	//       calls  per parent  call tree
	//           1              GET /cart  [shop]  otelproftest/example_test.go:16
	//     >    20          20  └─ SELECT item  [shop]  otelproftest/example_test.go:19
}

func ExampleRecorder_ExactlySites() {
	t := &printingTB{}
	rec := otelproftest.Start(t)
	showCart(context.Background(), rec.TracerProvider().Tracer("shop"), 2)

	rec.ExactlySites(rec.Site("shop", "GET /cart"), rec.Site("cache", "*"))
	// Output:
	// otelproftest: the sites are not as expected:
	//     any site of [cache] was never called
	//     "SELECT item" [shop] at otelproftest/example_test.go:19 was called 2 times and is not expected
	//       calls  per parent  call tree
	//           1              GET /cart  [shop]  otelproftest/example_test.go:16
	//     >     2           2  └─ SELECT item  [shop]  otelproftest/example_test.go:19
}

// printingTB shows what a test would fail with.
type printingTB struct{ testing.TB }

func (*printingTB) Helper()                           {}
func (*printingTB) Cleanup(func())                    {}
func (*printingTB) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
