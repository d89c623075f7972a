// Package jaeger answers as Jaeger does, so that its user interface, Grafana's data source and a Jaeger that stores its spans
// here work without knowing better:
//
//   - [Handler] serves HTTP: /api/v3/, and the older JSON that the user interface reads, /api/traces and others.
//   - [Handler.QueryServer] serves jaeger.api_v3.QueryService over gRPC.
//   - [Handler.StorageServer] serves the reading half of Jaeger's remote storage, jaeger.storage.v2: TraceReader,
//     DependencyReader and Capabilities. Its writing half is OTLP.
//
// Spans are sent as they were received, byte by byte, over gRPC. Over HTTP, and with gRPC unless raw traces are asked for,
// spans received twice are there once. Times are never adjusted for the skew of clocks: a Jaeger that reads from here does so
// itself.
//
// The metrics of /api/metrics/ come from the statistics of all spans by the minute, which need no other store.
//
// In a search, the tags span.kind, error, otel.status_code=ERROR, otel.scope.name and otel.scope.version mean what Jaeger
// shows as such. Other tags that it makes of fields which are no attributes find nothing. Structured filters and pages are refused, as the
// capabilities say.
package jaeger
