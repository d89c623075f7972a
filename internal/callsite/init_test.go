package callsite_test

import (
	"context"
	"runtime"
)

// Two spans that start while the package is initialised.
var (
	initRecorder = newRecorder()
	_, _         = tracerOf(initRecorder).Start(context.Background(), "package variable")
)

func init() { tracerOf(initRecorder).Start(context.Background(), "init function") }

// canWalk says whether frame pointers should work here.
func canWalk() bool {
	return !withoutFramePointers && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")
}
