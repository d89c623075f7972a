package main

import (
	"os"

	"golang.org/x/term"
)

// screen is the size of a terminal in characters. Zeros stand for no limit.
type screen struct{ width, height int }

// screenOf returns the size of the terminal that f is, zeros if it is none.
func screenOf(f *os.File) screen {
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return screen{}
	}
	return screen{width, height}
}

// isTerminal reports whether f is a terminal that understands control sequences.
func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
