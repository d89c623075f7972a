package callsite

import "runtime"

// framesAt returns the frames of one return address, innermost first: more than one where calls were inlined.
// It returns none when the address is not one of Go code.
func framesAt(pc uintptr) []runtime.Frame {
	// CallersFrames expands every address but the last one, so there has to be another one.
	next := runtime.CallersFrames([]uintptr{pc, 0})
	var frames []runtime.Frame
	for {
		f, more := next.Next()
		if f.Function != "" {
			frames = append(frames, f)
		}
		if !more {
			break
		}
	}
	if n := len(frames); n > 0 && frames[n-1].Func == nil {
		// The last frame was inlined too: CallersFrames hides wrappers that the compiler made, but the one
		// of a go or defer statement is the only trace of its function.
		if f := runtime.FuncForPC(frames[n-1].Entry); f != nil {
			file, line := f.FileLine(f.Entry())
			frames = append(frames, runtime.Frame{Func: f, Function: f.Name(), File: file, Line: line})
		}
	}
	return frames
}
