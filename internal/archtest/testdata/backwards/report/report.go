// Package report breaks the rule that nobody links net/http/pprof.
package report

import _ "net/http/pprof"
