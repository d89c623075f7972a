// Package otelproftest lets tests assert what a program did, on the profile of its spans and blocks: how often a site was
// called, how often within a single call of another one, how long it took, and whether it failed.
//
//	func TestCart(t *testing.T) {
//		rec := otelproftest.Start(t)
//		shop := NewShop(rec.TracerProvider())
//		shop.Cart(ctx)
//
//		rec.Site("sql", "SELECT item").AtMostPerParent(1) // no N+1 queries
//		rec.Site("sql", "*").MaxCalls(5).NoErrors()
//	}
//
// [Start] gives each test a profiler and a TracerProvider of its own, so that tests may run in parallel. For code that
// uses the global provider see [WithGlobal], for a provider that exists already [WithProvider].
//
// Assertions look at what has ended when they are called, and report failures by Errorf: the test goes on. Their
// messages show the part of the call tree that matters. They may be called from any goroutine and at any time, as
// Errorf may.
//
// Counts are exact. Durations depend on the machine and on what else it does: give them bounds with room.
package otelproftest
