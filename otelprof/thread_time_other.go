//go:build !linux

package otelprof

import "time"

// threadTime returns 0: package syscall has no CPU time of threads here.
func threadTime() time.Duration { return 0 }
