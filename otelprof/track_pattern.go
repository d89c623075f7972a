package otelprof

// matchesAny reports whether one of the patterns matches the name.
func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchPattern(p, name) {
			return true
		}
	}
	return false
}

// matchPattern reports whether the pattern matches the whole name. A * stands for any run of bytes, every other byte
// for itself. path.Match is no substitute: its * stops at a slash, and the names of tracks are import paths.
//
// On a mismatch only the last * has to be tried again, one byte further, since an earlier one can gain nothing that
// the last one cannot. So the time is at most len(pattern)·len(name), whatever the pattern.
func matchPattern(pattern, name string) bool {
	p, n := 0, 0
	star, retry := -1, 0 // the last * in the pattern, and where in the name what follows it is tried next
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
