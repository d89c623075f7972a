package otlp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Checker finds out whether a request can be kept as it is, and mends it if not:
//   - what is malformed is an error, and nothing of the request is to be kept;
//   - a span without valid ids is rejected, and its siblings are kept;
//   - text that is not UTF-8 gets replacement characters;
//   - a name or a value that is too long is cut;
//   - an attribute with too long a key, too deep a nesting or too large a list, and what is over the number of attributes,
//     events and links is left out, and counted in the span's dropped_…_count.
//
// What it has let pass, every implementation of protobuf can read. It keeps memory between requests; one goroutine at a
// time may use it. The zero Checker has no room for anything: set Limits.
type Checker struct {
	Limits Limits
	// Split is that of the Walker with which spans are visited.
	Split []string

	walker Walker
	dirty  bool
	// rejected are the numbers of the spans to leave out, in ascending order.
	rejected []int
	reasons  map[string]int
}

// Checked is what a Checker has found.
type Checked struct {
	// Request is what to keep: the request itself, unless Changed, or else a copy that differs in what was wrong.
	Request []byte
	Changed bool
	// Spans is how many spans it has, Rejected how many more the original had.
	Spans, Rejected int
	// Reasons is how often something was wrong, by what it was; nil if nothing was.
	Reasons map[string]int
}

// What was mended; keys of Checked.Reasons beside the Bad… ones.
const (
	CutName        = "name cut"
	CutValue       = "value cut"
	MendedText     = "invalid UTF-8 replaced"
	DroppedTooDeep = "attribute dropped: nested too deep"
	DroppedTooLong = "attribute dropped: its key or its list is too long"
	DroppedTooMany = "attribute, event or link dropped: too many"
)

// Result says it as clients are told.
func (c *Checked) Result() Result {
	if len(c.Reasons) == 0 {
		return Result{}
	}
	parts := make([]string, 0, len(c.Reasons))
	for _, reason := range slices.Sorted(maps.Keys(c.Reasons)) {
		parts = append(parts, fmt.Sprintf("%s (%d)", reason, c.Reasons[reason]))
	}
	return Result{Rejected: c.Rejected, Message: strings.Join(parts, "; ")}
}

// Check checks a request. It calls visit, if there is one, for every span that has valid ids; what visit returns, if it is
// not empty, is a reason to reject that span as well. If the request is Changed in the end, then the spans that were
// visited are not those of Checked.Request, and have to be visited again with a Walker.
func (c *Checker) Check(request []byte, visit func(*Span) string) (Checked, error) {
	c.walker.Split = c.Split
	c.dirty, c.rejected, c.reasons = false, c.rejected[:0], nil
	if err := c.scan(request, tracesData, 0); err != nil {
		return Checked{}, err
	}
	n := 0
	err := c.walker.Walk(request, func(s *Span) error {
		reason := s.Bad
		if reason == "" && visit != nil {
			reason = visit(s)
		}
		if reason != "" {
			c.rejected = append(c.rejected, n)
			c.count(reason)
		}
		n++
		return nil
	})
	if err != nil {
		return Checked{}, err
	}
	checked := Checked{Request: request, Spans: n - len(c.rejected), Rejected: len(c.rejected)}
	if c.dirty || len(c.rejected) > 0 {
		m := mender{limits: c.Limits, rejected: c.rejected, count: c.count}
		checked.Request, checked.Changed = m.mend(request), true
	}
	checked.Reasons = c.reasons
	return checked, nil
}

func (c *Checker) count(reason string) {
	if c.reasons == nil {
		c.reasons = map[string]int{}
	}
	c.reasons[reason]++
}

// scan finds out whether a message is well-formed, and sets dirty if it has to be mended. The depth is that of the nested
// values, so that it calls itself no deeper than the limit and the few levels of the messages around the values.
func (c *Checker) scan(message []byte, t *messageType, depth int) error {
	var counts [rules]int
	f := fields{message: message}
	for f.next() {
		field := t.field(f.tag >> 3)
		if field == nil {
			continue
		}
		if field.wire != f.tag&7 {
			return wrongType(t.name+"."+field.name, f.tag)
		}
		counts[field.rule]++
		switch field.rule {
		case isName:
			c.dirty = c.dirty || len(f.value) > c.Limits.NameBytes || !utf8.Valid(f.value)
			continue
		case isText:
			c.dirty = c.dirty || len(f.value) > c.Limits.ValueBytes || !utf8.Valid(f.value)
			continue
		case isBytes:
			c.dirty = c.dirty || len(f.value) > c.Limits.ValueBytes
			continue
		case isNested:
			if len(f.value) > c.Limits.ValueBytes || depth >= c.Limits.Depth {
				c.dirty = true
				continue
			}
			if err := c.scan(f.value, field.message, depth+1); err != nil {
				return err
			}
			continue
		case noRule:
			continue
		case attributes:
			if c.isPlain(f.value) {
				continue
			}
		}
		if err := c.scan(f.value, field.message, depth); err != nil {
			return err
		}
	}
	if counts[attributes] > c.Limits.Attributes || counts[events] > c.Limits.Events || counts[links] > c.Limits.Links {
		c.dirty = true
	}
	return f.err
}

// isPlain reports whether a KeyValue message looks as nearly all do and has nothing to mend: a key, then a string or an
// integer or a boolean, all shorter than 128 bytes. Only the time it takes would differ if it always said no.
func (c *Checker) isPlain(m []byte) bool {
	if len(m) < 6 || m[0] != 1<<3|bytesType || m[1] >= 0x80 || int(m[1]) > c.Limits.NameBytes {
		return false
	}
	k := 2 + int(m[1])
	if k+4 > len(m) || m[k] != 2<<3|bytesType || m[k+1] >= 0x80 || int(m[k+1]) != len(m)-k-2 {
		return false
	}
	switch v := m[k+2:]; v[0] {
	case 1<<3 | bytesType:
		// The tags and lengths are ASCII, so that all is valid UTF-8 exactly if the key and the value are.
		return int(v[1]) == len(v)-2 && len(v)-2 <= c.Limits.ValueBytes && utf8.Valid(m)
	case 2<<3 | varintType, 3<<3 | varintType:
		_, end := uvarint(v, 1)
		return end == len(v) && utf8.Valid(m[2:k])
	}
	return false
}
