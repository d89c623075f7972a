//go:build !unix

package main

import "time"

var processStart = time.Now()

// cpuTime stands in with the time that has passed, where the system has no getrusage.
func cpuTime() time.Duration { return time.Since(processStart) }
