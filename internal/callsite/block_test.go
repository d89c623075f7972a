package callsite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/internal/callsite"
)

// blocks stands for the package otelprof: its functions call each other, and none of them is the user.
type blocks struct {
	walk, call *callsite.Finder
	started    chan [2]*callsite.Location
}

func newBlocks() *blocks {
	skip := []string{thisPackage + "(*blocks)."}
	return &blocks{
		walk:    callsite.New(callsite.Options{Skip: skip}),
		call:    callsite.New(callsite.Options{Skip: skip, Callers: true}),
		started: make(chan [2]*callsite.Location, 10),
	}
}

func (b *blocks) block(string) *blocks {
	b.started <- [2]*callsite.Location{b.walk.Block(), b.call.Block()}
	return b
}

func (b *blocks) end() {}

func (b *blocks) time(name string, f func()) {
	b.timeErr(name, func() error { f(); return nil })
}

//go:noinline
func (b *blocks) timeErr(name string, f func() error) {
	defer b.block(name).end()
	_ = f()
}

// A blockSituation starts one block of its name.
type blockSituation struct {
	name, function string
	start          func(*blocks)
	hidden         bool
}

var blockSituations = []blockSituation{
	{name: "block", function: "oneBlock", start: oneBlock},
	{name: "deferred end", function: "deferredEnd", start: deferredEnd},
	{name: "timed", function: "timed", start: timed},
	{name: "block in timed", function: "blockInTimed.func1", start: blockInTimed},
	{name: "go block", function: "goBlock", start: goBlock, hidden: true},
	{name: "go timed", function: "goTimed", start: goTimed, hidden: true},
	{name: "deferred block", function: "deferredBlock", start: deferredBlock, hidden: true},
	{name: "generic block", function: "genericBlock[...]", start: genericBlock[int]},
	{name: "interface block", function: "interfaceBlock", start: func(b *blocks) { interfaceBlock(struct{ *blocks }{b}) }},
}

func oneBlock(b *blocks) { b.block("block").end() }

func deferredEnd(b *blocks) {
	defer b.block("deferred end").end()
	call(func() {})
}

func timed(b *blocks) { b.time("timed", func() {}) }

func blockInTimed(b *blocks) {
	b.time("", func() {
		<-b.started
		b.block("block in timed")
	})
}

func goBlock(b *blocks) {
	go b.block("go block")
}

func goTimed(b *blocks) {
	go b.time("go timed", func() {})
}

func deferredBlock(b *blocks) {
	defer b.block("deferred block")
	call(func() {})
}

func genericBlock[T any](b *blocks) { b.block("generic block") }

//go:noinline
func interfaceBlock(b interface{ block(string) *blocks }) { b.block("interface block") }

func TestBlock(t *testing.T) {
	// One pair of finders serves all situations, so that the ways to the user are different ones.
	b := newBlocks()
	for _, s := range blockSituations {
		t.Run(s.name, func(t *testing.T) {
			file, line := lineOf(t, "block_test.go", s.name)
			for range 3 {
				s.start(b)
				for i, got := range <-b.started {
					if s.hidden && (i == 1 || !b.walk.FramePointers()) {
						continue
					}
					require.NotNil(t, got)
					require.Equal(t, thisPackage+s.function, got.Function)
					require.Equal(t, file, filepath.Base(got.File))
					require.Equal(t, line, got.Line)
				}
			}
		})
	}
}

func TestBlockAllocatesNothing(t *testing.T) {
	for _, callers := range []bool{false, true} {
		f := callsite.New(callsite.Options{Callers: callers})
		require.Zero(t, testing.AllocsPerRun(100, func() { f.Block() }))
		require.NotNil(t, f.Block())
	}
}
