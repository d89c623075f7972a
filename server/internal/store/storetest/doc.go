// Package storetest is what every engine of package store must pass, and the spans that tests and benchmarks feed them
// with.
package storetest
