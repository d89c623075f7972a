// Package clickhouse is the store of several nodes: requests wait in a queue on the node's disk, and go to ClickHouse in batches.
// docs/adr/009 tells why it is shaped as it is.
//
// # The way of a span
//
// Append writes a request to the log of a [pebblestore.Store]. Commit packs the segment into a parcel and puts it in the place of
// what it used up of the log, in one batch: from then on it is the parcel that is durable. The outbox sends one parcel after
// the other, each with a token of its own: ClickHouse takes a batch with a token that it knows for done, so that a parcel that
// was sent twice, by a retry or after a crash, is in the tables once.
//
// # What a reader sees
//
// The tables, which have what all nodes sent, and the parcels of this node that are not sent yet. While it is unknown whether
// ClickHouse has a parcel, because a connection broke, readers wait until that is settled, and get an error if it cannot be.
// Nothing is sent while they read; commits go on.
//
// # Traces of several nodes
//
// A trace whose spans reached several nodes is in several parts, each counted as if it were all. CompleteTraces counts such
// traces again, as one, and adds the difference to the profile. Nodes agree by tokens, which ClickHouse takes once: on who
// does it, in a journal, and on what is completed together, in plans. docs/adr/012 tells why.
//
// # Hours
//
// A materialized view sums the profile up by hours. Whole hours are read from there, where nobody asks for their minutes.
//
// # Tables
//
// otel_traces is that of the OpenTelemetry Collector's exporter, with the message as it was received in columns of its own:
// rows that a Collector wrote are read as well. See schema.go.
package clickhouse
