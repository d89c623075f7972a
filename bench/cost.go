package main

import (
	"runtime"
	"time"
)

// cost is what a piece of work took of the whole process, with the garbage collector's part.
type cost struct {
	cpu     time.Duration
	wall    time.Duration
	objects uint64 // allocated
	bytes   uint64 // allocated
}

// measure returns what work costs. Nothing else should go on in the process. It starts with a collected heap, so that the
// same work has the same number of garbage collections each time.
func measure(work func()) cost {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), cpuTime()
	work()
	c := cost{cpu: cpuTime() - cpu, wall: time.Since(start)}
	runtime.ReadMemStats(&after)
	c.objects, c.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return c
}

// retained returns by how many bytes the live heap is larger after fill, which must keep what it makes alive.
func retained(fill func()) float64 {
	before := liveHeap()
	fill()
	return float64(liveHeap()) - float64(before)
}

func liveHeap() uint64 {
	// The first collection may leave what finalizers and pools hold to the second.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
