package report

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// FoldedValue says what the number behind a folded stack counts.
type FoldedValue string

// The values of folded stacks.
const (
	// FoldedSelf is self time in nanoseconds, the default: the width of a frame is its self time and that of all
	// frames above it.
	FoldedSelf FoldedValue = "self"
	// FoldedCount is the number of calls: the width of a frame is its calls and those of everything it called.
	FoldedCount FoldedValue = "count"
	// FoldedErrors is the number of calls that ended with an error.
	FoldedErrors FoldedValue = "errors"
)

// FoldedOptions are the options of [Folded].
type FoldedOptions struct {
	// Value is what the number behind a stack counts, FoldedSelf by default.
	Value FoldedValue
}

// Folded writes the call tree as folded stacks, a line per node whose value is not 0:
//
//	root [track];child [track] 1234
//
// flamegraph.pl, inferno, speedscope and others read it. The format has no escapes, so what would be taken for a
// separator is written as a Go escape: a semicolon in a name as \x3b, a newline as \n, and the space before a
// number at the end of a stack, which flamegraph.pl takes for a second value, as \x20.
func Folded(w io.Writer, s *core.Snapshot, o FoldedOptions) error {
	value, err := o.Value.function()
	if err != nil {
		return err
	}
	bw := bufio.NewWriter(w)
	calls := callTree(s)
	frame := frameNames(s, foldedFrame)
	var stack []string
	for _, c := range calls {
		stack = append(stack[:c.depth], frame(c))
		n := value(c.stats)
		if n == 0 {
			continue
		}
		for i, f := range stack {
			if i > 0 {
				bw.WriteByte(';')
			}
			bw.WriteString(f)
		}
		bw.WriteByte(' ')
		bw.WriteString(strconv.FormatUint(n, 10))
		bw.WriteByte('\n')
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write folded stacks: %w", err)
	}
	return nil
}

func (v FoldedValue) function() (func(*core.Stats) uint64, error) {
	switch v {
	case "", FoldedSelf:
		return func(s *core.Stats) uint64 { return s.Self }, nil
	case FoldedCount:
		return func(s *core.Stats) uint64 { return s.Count }, nil
	case FoldedErrors:
		return func(s *core.Stats) uint64 { return s.Errors }, nil
	}
	return nil, fmt.Errorf("folded stacks: unknown value %q, want one of %s, %s, %s",
		string(v), FoldedSelf, FoldedCount, FoldedErrors)
}

var numberAtEnd = regexp.MustCompile(` ([0-9]+(\.[0-9]*)?)$`)

func foldedFrame(s core.Site) string {
	frame := strings.ReplaceAll(siteLabel(s), ";", `\x3b`)
	return numberAtEnd.ReplaceAllString(frame, `\x20$1`)
}
