// Package assembly puts the spans of one trace together: who is whose parent, where clocks differ, what of a span's time is
// its own, and what lies on the trace's critical path.
//
// # Tree
//
// A span's parent is the span of the trace that has its parent's id. Spans whose parent is not there are orphans; like
// spans without a parent they are roots, and every root has a tree of its own. Spans that are each other's ancestors are
// no tree: of such a ring, the span that started first becomes a root. A span that was received twice counts once.
//
// # Clocks
//
// A span of another clock than its parent's that does not lie within its parent is moved to the middle of it, with all
// below it that has the same clock: the way there and the way back are taken to be equally long. If it lasts longer than
// its parent, it is only moved so that it does not start earlier. That is what Jaeger does for its display; times that
// were received are not changed by it. Unlike there, spans that consume a message stay where they are: that they run after
// the one that sent it is no sign of a wrong clock.
//
// # Self time and critical path
//
// The self time of a span is its duration without the union of its children's times.
//
// The critical path of a tree is found from its end backwards: the child that finished last is on it; before that child
// started, the child that had finished last by then; and so on, and likewise within these children. What lies between is
// the span's own time on the path. Times are cut to those of the ancestors, so that the shares of all spans of a
// tree add up to the duration of its root.
//
// # Concurrency and cost
//
// An [Assembler] serves one goroutine at a time. It keeps its memory from trace to trace and then allocates nothing.
// Nothing is recursive: a trace may be a chain of any length.
package assembly
