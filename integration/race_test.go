//go:build race

package integration

// buildFlags make the programs that the tests build look for data races as the tests themselves do.
var buildFlags = []string{"-race"}
