package otlp

import (
	"encoding/binary"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendResponse appends the response to a request that was taken, in protobuf: an ExportTraceServiceResponse or its
// sibling for metrics, which are the same on the wire. It is empty for the zero Result.
func AppendResponse(to []byte, r Result) []byte {
	if r == (Result{}) {
		return to
	}
	start := len(to)
	if r.Rejected != 0 {
		to = binary.AppendUvarint(append(to, 1<<3|varintType), uint64(r.Rejected))
	}
	if r.Message != "" {
		to = appendBytes(to, 2, []byte(r.Message))
	}
	return closeMessage(to, start, 1)
}

// AppendResponseJSON is AppendResponse for OTLP/JSON. The name is that of the field that counts the rejected, such as
// rejectedSpans.
func AppendResponseJSON(to []byte, r Result, name string) []byte {
	if r == (Result{}) {
		return append(to, "{}"...)
	}
	to = append(to, `{"partialSuccess":{"`+name+`":"`...)
	to = strconv.AppendInt(to, int64(r.Rejected), 10)
	to = append(to, `","errorMessage":`...)
	// An error says that something was not UTF-8: it has been replaced.
	to, _ = jsontext.AppendQuote(to, r.Message)
	return append(to, "}}"...)
}
