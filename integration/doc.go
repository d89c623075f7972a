// Package integration holds the tests of the exporter against programs that others wrote. A test is skipped with its
// reason where its peer is missing; make setup installs the peers that Debian has, and make jaeger collector builds two more.
package integration
