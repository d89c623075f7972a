package storetest

import "google.golang.org/protobuf/encoding/protowire"

// Requests returns the segment's spans as ExportTraceServiceRequests of up to n spans, as clients would have sent them.
func (m *Made) Requests(n int) [][]byte {
	var requests [][]byte
	for spans := m.Spans; len(spans) > 0; {
		part := spans[:min(n, len(spans))]
		spans = spans[len(part):]
		requests = append(requests, request(part))
	}
	return requests
}

// request groups spans by service.
func request(spans []Span) []byte {
	var b []byte
	for _, service := range services {
		var scope, resource []byte
		for i := range spans {
			if spans[i].Service != service {
				continue
			}
			if resource == nil {
				resource, scope = spans[i].Origin.Resource, spans[i].Origin.Scope[:len(spans[i].Origin.Scope):len(spans[i].Origin.Scope)]
			}
			scope = appendMessage(scope, 2, spans[i].Raw)
		}
		if resource != nil {
			message := appendMessage(resource[:len(resource):len(resource)], 2, scope)
			b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), message)
		}
	}
	return b
}
