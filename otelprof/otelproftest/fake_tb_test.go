package otelproftest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// fakeTB is a test whose failures are kept as text.
type fakeTB struct {
	testing.TB
	messages []string
	fatal    bool
	cleanups []func()
}

func (f *fakeTB) Helper()          {}
func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	f.fatal = true
	runtime.Goexit()
}

// end does what happens at the end of a test.
func (f *fakeTB) end() {
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
	f.cleanups = nil
}

// take returns the messages and forgets them.
func (f *fakeTB) take() string {
	text := strings.Join(f.messages, "\n")
	f.messages = nil
	return text
}

// newFake returns a fake test that ends before the real one.
func newFake(t *testing.T) *fakeTB {
	f := &fakeTB{}
	t.Cleanup(f.end)
	return f
}
