// Package callsite finds the source location of the user code that started a span or a block: the first frame
// on the stack that belongs neither to OpenTelemetry nor to this module. Beside the type core.Location it needs
// the standard library alone.
//
// # How it works
//
// On amd64 and arm64 every Go function that calls another one keeps a frame pointer, so that the frames of a
// goroutine form a linked list of (next frame, return address) records. [Finder] follows this list in assembly,
// one record at a time, and looks every return address up in a table that says whose code it is. The walk ends
// at the first user frame: nothing beyond it is read. An address that is not in the table yet is resolved with
// [runtime.CallersFrames], which happens once per call instruction of the program.
//
// Elsewhere, with the build tag otelprof_nofp, and with [Options.Callers] the addresses come from
// [runtime.Callers] instead, at ten to sixty times the cost. So they do when the list of frames is broken, which
// takes assembly of others that misuses the frame pointer register. The locations are the same with one
// exception: runtime.Callers hides the wrappers that the compiler makes for go and defer statements. It finds
// nothing for "go tracer.Start(...)", and for "defer tracer.Start(...)" the place where the function ends.
//
// # Soundness
//
// The runtime moves stacks, so no stack address outlives the assembly function that computed it: a position is
// kept as a distance from the finder's own frame, and that distance is the same before and after a move. The
// assembly reads nothing outside the stack of the current goroutine, whatever it finds in a frame. It is a leaf
// that changes neither the stack pointer nor the frame pointer, so that signal handlers, profilers and the
// garbage collector see an ordinary function. [New] compares its first walk with [runtime.Callers] and gives
// the assembly up if they differ.
//
// # Whose frame counts
//
// Frames are told apart by the name of their function, see [Options.Skip]. A helper or a wrapped tracer that
// is not skipped is the user's code like any other, and a span's location is the line in it that calls Start.
// Return addresses point behind the call; every location here is that of the call itself. Where functions were
// inlined, the innermost one that counts is reported, as if it had not been inlined. Names are as the runtime
// writes them, generic ones with "[...]".
package callsite
