// Package profiles takes the profiles of in-process profilers that arrive as OTLP metrics (exporter.NewProducer), and hands
// them on as the spans that exporter.NewTracks makes of a profile. So they go the way of all spans: durable when
// acknowledged, exactly once after a crash, once when sent twice, and never counted with what the process sends as raw spans.
//
// Profiles of delta temporality are handed on as they are. Those of cumulative temporality replace one another: what is
// handed on is the difference to the state before, which is kept in memory. Where that state is not known, because the
// process is older than the server or because too many others were kept, the first state that arrives is where counting
// begins: something may be missing then, but nothing is counted twice.
package profiles
