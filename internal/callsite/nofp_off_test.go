//go:build !otelprof_nofp

package callsite_test

const withoutFramePointers = false
