// Package blackbox tests the real binary from outside: it builds it, starts it, sends to it, kills it, and asks it.
package blackbox
