package otelproftest

import "fmt"

// Calls asserts that the site was called exactly n times.
func (s Site) Calls(n int) Site {
	s.rec.tb.Helper()
	return s.count(fmt.Sprintf("want exactly %d", n), func(calls uint64) bool { return calls == uint64(max(n, 0)) })
}

// MinCalls asserts that the site was called at least n times.
func (s Site) MinCalls(n int) Site {
	s.rec.tb.Helper()
	return s.count(fmt.Sprintf("want at least %d", n), func(calls uint64) bool { return n <= 0 || calls >= uint64(n) })
}

// MaxCalls asserts that the site was called at most n times. It holds for a site that was never called; to notice a
// misspelled name add MinCalls(1).
func (s Site) MaxCalls(n int) Site {
	s.rec.tb.Helper()
	return s.count(fmt.Sprintf("want at most %d", n), func(calls uint64) bool { return calls <= uint64(max(n, 0)) })
}

func (s Site) count(want string, holds func(calls uint64) bool) Site {
	s.rec.tb.Helper()
	found := s.in(s.rec.Snapshot())
	switch n := found.stats.Count; {
	case holds(n):
	case n == 0:
		s.rec.fail(found.snapshot, nil, "%v was never called, %s; %s", s, want, recorded(found.snapshot))
	default:
		s.rec.fail(found.snapshot, s.matchesSite, "%s was called %s, %s", found.where(), times(n), want)
	}
	return s
}

// NoErrors asserts that the site was called, and that no call ended with an error: with the status Error, or for a block
// by EndErr.
func (s Site) NoErrors() Site {
	s.rec.tb.Helper()
	if found, ok := s.called(); ok {
		found.noErrors()
	}
	return s
}

// NoErrors asserts that nothing that was recorded ended with an error.
func (r *Recorder) NoErrors() {
	r.tb.Helper()
	snapshot := r.Snapshot()
	for i := range snapshot.Blocks {
		if b := &snapshot.Blocks[i]; b.Stats.Errors > 0 {
			selection{r.Site(b.Site.Track, b.Site.Name), snapshot, sitesOf(b.Site), b.Stats}.noErrors()
		}
	}
}

func (s selection) noErrors() {
	s.rec.tb.Helper()
	if s.stats.Errors == 0 {
		return
	}
	last := ""
	if description := s.rec.log.lastFailure(s.Site); description != "" {
		last = fmt.Sprintf("; the last error is %q", cut(description))
	}
	s.rec.fail(s.snapshot, nil, "%s failed in %d of %s (%.3g %%), want no error%s",
		s.where(), s.stats.Errors, calls(s.stats.Count), 100*s.stats.ErrorRate(), last)
}
