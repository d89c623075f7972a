package otelprof

import "time"

// finestStep is the longest that a clock may stand still to measure workloads of minBatch.
const finestStep = minBatch / 20

// overheadClock returns the best clock of this system for code that stays on one thread, and what it is called. The CPU
// time of a thread is kept in ticks of milliseconds by some kernels and sandboxes; then it is no use.
func overheadClock() (clock func() time.Duration, name string) {
	if moves(threadTime) {
		return threadTime, "CPU time of the thread"
	}
	base := time.Now()
	return func() time.Duration { return time.Since(base) }, "wall time"
}

// moves reports whether a clock moves while finestStep passes, three times in a row: a coarse one may do so once by chance.
func moves(clock func() time.Duration) bool {
	for range 3 {
		began, first := time.Now(), clock()
		for clock() == first {
			if time.Since(began) > finestStep {
				return false
			}
		}
	}
	return true
}
