package otelprof

import (
	"syscall"
	"time"
	"unsafe"
)

// clockThreadCPUTime is CLOCK_THREAD_CPUTIME_ID of clock_gettime(2), which package syscall does not name.
const clockThreadCPUTime = 3

// threadTime returns the CPU time that the calling thread has used, always 0 where that cannot be read. It is finer
// than what getrusage tells, which is in ticks of the kernel.
func threadTime() time.Duration {
	var t syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
