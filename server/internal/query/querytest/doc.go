// Package querytest holds what the tests of the queries share: a small deterministic data set of spans, a reader that
// finds its answers by looking at every span, and figures computed from the spans one by one. All of it is naive on
// purpose: it is what the real thing is compared with.
package querytest
