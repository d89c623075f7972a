package callsite

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// returnAddress returns the address behind its call: in the function that its caller was inlined into.
//
//go:noinline
func returnAddress() uintptr {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	return pcs[0]
}

func inlined1() uintptr { return inlined2() }
func inlined2() uintptr { return inlined3() }
func inlined3() uintptr { return returnAddress() }

func namesAt(pc uintptr) (names []string) {
	for _, f := range framesAt(pc) {
		names = append(names, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
	}
	return names
}

//go:noinline
func notInlined() uintptr { return inlined1() }

// needInlining skips a test when the compiler was told to inline nothing.
func needInlining(t *testing.T) {
	if f, _ := runtime.CallersFrames([]uintptr{notInlined()}).Next(); f.Func != nil {
		t.Skip("compiled without inlining")
	}
}

func TestFramesExpandInlining(t *testing.T) {
	needInlining(t)
	require.Equal(t, []string{"callsite.inlined3", "callsite.inlined2", "callsite.inlined1", "callsite.notInlined"}, namesAt(notInlined()))
}

func TestFramesOfNoCode(t *testing.T) {
	require.Empty(t, framesAt(0))
	require.Empty(t, framesAt(1))
	require.Empty(t, framesAt(^uintptr(0)))
}

func send(c chan uintptr) { c <- inlined3() }

// What a go statement calls is inlined into the wrapper that the compiler makes for it.
func TestFramesOfInliningWrapper(t *testing.T) {
	needInlining(t)
	c := make(chan uintptr)
	go send(c)
	require.Equal(t, []string{"callsite.inlined3", "callsite.send", "callsite.TestFramesOfInliningWrapper.gowrap1"}, namesAt(<-c))
}
