// Package otlptest has requests that nobody should send, for tests of all that is sent them.
package otlptest

import (
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// field returns a field of a message that has the given content.
func field(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

// Request returns an ExportTraceServiceRequest with one span, of which the fields are given.
func Request(span ...byte) []byte { return field(1, field(2, field(2, span))) }

// Malformed returns requests that nobody can read, by what is wrong with them. The given one is well-formed, and has spans.
func Malformed(whole []byte) map[string][]byte {
	groups := func(n int) []byte {
		return append([]byte(strings.Repeat("\xc3\x3e", n)), strings.Repeat("\xc4\x3e", n)...)
	}
	return map[string][]byte{
		"cut off":                       whole[:len(whole)-1],
		"cut off in the middle":         whole[:len(whole)/2],
		"a length of 2^62":              protowire.AppendVarint([]byte{0x0a}, 1<<62),
		"a length of 2^64-1":            protowire.AppendVarint([]byte{0x0a}, 1<<64-1),
		"a length of 2 GB":              protowire.AppendVarint([]byte{0x0a}, 2<<30),
		"a length without an end":       []byte("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		"a varint of 11 bytes":          Request([]byte("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")...),
		"a varint of more than 64 bits": Request([]byte("\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")...),
		"field 0":                       Request(0x02, 0x00),
		"a field of 2^29":               Request(protowire.AppendVarint(nil, 1<<29<<3)...),
		"wire type 6":                   Request(0x0e),
		"wire type 7":                   Request(0x0f),
		"resource_spans as a number":    {0x08, 0x01},
		"scope_spans as a number":       field(1, []byte{0x10, 0x01}),
		"spans as a number":             field(1, field(2, []byte{0x10, 0x01})),
		"trace_id as a number":          Request(0x08, 0x01),
		"a time as a number":            Request(0x38, 0x01),
		"a name as fixed64":             Request(0x29, 0, 0, 0, 0, 0, 0, 0, 0),
		"a group that never ends":       Request(0xc3, 0x3e),
		"a group that never began":      Request(0xc4, 0x3e),
		"a group that ends another":     Request(0xc3, 0x3e, 0xcc, 0x3e),
		"a group of rubbish":            Request(0xc3, 0x3e, 0x02, 0xc4, 0x3e),
		"65 nested groups":              Request(groups(65)...),
		"100 000 nested groups":         Request(groups(100_000)...),
		"100 000 groups that begin":     []byte(strings.Repeat("\xc3\x3e", 100_000)),
		"text":                          []byte(`{"resourceSpans":[]}`),
		"a fixed32 cut off":             Request(0x85, 0x01, 0, 0),
		"a fixed64 cut off":             Request(0x39, 0, 0),
		"a tag cut off":                 Request(0xff),
		"random bytes":                  random(1),
		"more random bytes":             random(2),
	}
}

// random returns bytes of which the first cannot begin a message.
func random(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := []byte{0x0f}
	for range 1000 {
		data = append(data, byte(r.Uint32()))
	}
	return data
}

// Nested returns a value of an attribute that is an array in an array, so many levels deep.
func Nested(levels int) []byte {
	sizes := make([][2]int, levels) // of the arrays and the values around them, from the inside out
	size := 2
	for i := range sizes {
		array := 1 + protowire.SizeBytes(size)
		sizes[i] = [2]int{array, size}
		size = 1 + protowire.SizeBytes(array)
	}
	out := make([]byte, 0, size)
	for i := levels - 1; i >= 0; i-- {
		out = protowire.AppendVarint(append(out, 5<<3|2), uint64(sizes[i][0]))
		out = protowire.AppendVarint(append(out, 1<<3|2), uint64(sizes[i][1]))
	}
	return append(out, 1<<3|2, 0)
}

// Deep returns a request with one good span that ends at the time, of which an attribute is nested.
func Deep(levels int, end time.Time) []byte {
	span := append(field(1, []byte("0123456789abcdef")), field(2, []byte("01234567"))...)
	for _, number := range []protowire.Number{7, 8} { // its start and its end
		span = protowire.AppendFixed64(protowire.AppendTag(span, number, protowire.Fixed64Type), uint64(end.UnixNano()))
	}
	span = append(span, field(9, append(field(1, []byte("deep")), field(2, Nested(levels))...))...)
	return Request(span...)
}
