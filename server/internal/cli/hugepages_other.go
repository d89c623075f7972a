//go:build !linux

package cli

// adviseHugePages does nothing where huge pages are not for programs to ask for.
func adviseHugePages() {}
