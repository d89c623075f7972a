// Package demo makes the traffic of a shop of several services, deterministic by a seed, and knows the exact truth about it:
// what to try a server with, and what to check it against.
package demo
