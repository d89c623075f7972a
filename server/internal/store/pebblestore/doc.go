// Package pebblestore is the store on disk: blocks of many spans in a Pebble database, whose write-ahead log makes requests
// durable and commits atomic. docs/adr/007 tells why it is shaped as it is.
//
// # What is where
//
//	f                 the version of the format
//	q                 a number of the log that no entry has had
//	l seq             a request that is in no segment yet, compressed with S2
//	c seq             which of its spans are in segments
//	s block           the summary of a block, which is kept in memory
//	b block chunk     up to 1024 spans of a block, see chunkWriter
//	t block           in which chunks traces are, see traceTable
//	x block           what chunks have which operations, see blockIndex
//	k block           the attributes that chunks have, as Bloom filters
//	o block           the origins of the spans
//	m minute part     that there is a part of the profile of a minute; this is kept in memory
//	p minute part     the part itself
//	h hour            the profile of an hour, with the highest number of the parts in it
//	n name            a saved snapshot
//	u number          a parcel: bytes on their way to another store, see CommitParcel
//
// Numbers are in big-endian order, so that keys are in order of time. A block is written once, with one batch, and is deleted
// as a whole.
package pebblestore
