package pebblestore

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"

	"github.com/stichotrope/stichotrope-go/core"
)

// traceTable tells in which chunks of a block the spans of a trace are. It is an array, ascending and in big-endian order, of
// the upper half of the hash of the trace's id, the number of the chunk and that of the trace in the chunk. It is used as it
// is stored. Instead of an id of 16 bytes it has a hash of 4: in a million lookups of a block one reads a chunk in vain.
type traceTable []byte

const traceEntry = 8

// tracePlace is an entry of the table.
type tracePlace uint64

func placeOf(id *core.TraceID, chunk, number int) tracePlace {
	return tracePlace(xxhash.Sum64(id[:])>>32<<32 | uint64(chunk)<<16 | uint64(number))
}

func (p tracePlace) chunk() int  { return int(p >> 16 & 0xffff) }
func (p tracePlace) number() int { return int(p & 0xffff) }

func appendTraceTable(b []byte, places []tracePlace) []byte {
	slices.Sort(places)
	for _, p := range places {
		b = binary.BigEndian.AppendUint64(b, uint64(p))
	}
	return b
}

func (t traceTable) at(i int) tracePlace {
	return tracePlace(binary.BigEndian.Uint64(t[traceEntry*i:]))
}

// traceFilter tells which traces a block may have, without the table: in a store of many blocks nearly all of them are left
// out by that.
type traceFilter []byte

// defaultFiltered is how many traces the filters in memory may have, those of the latest blocks: some 16 MiB.
const defaultFiltered = 10_000_000

// filter returns the filter of the table.
func (t traceTable) filter() *traceFilter {
	hashes := make([]uint64, len(t)/traceEntry)
	for i := range hashes {
		hashes[i] = t.at(i).filterHash()
	}
	f := traceFilter(makeFilter(hashes))
	return &f
}

// filterHash spreads the hash of the trace over all bits.
func (p tracePlace) filterHash() uint64 { return uint64(p>>32) * 0x9E3779B97F4A7C15 }

// mayHave reports whether one of the traces may be there.
func (f traceFilter) mayHave(ids []core.TraceID) bool {
	for i := range ids {
		if probesOf(placeOf(&ids[i], 0, 0).filterHash()).in(f) {
			return true
		}
	}
	return false
}

// find appends where the trace may be, in order.
func (t traceTable) find(places []tracePlace, id *core.TraceID) []tracePlace {
	hash := placeOf(id, 0, 0) >> 32
	n := len(t) / traceEntry
	for i := sort.Search(n, func(i int) bool { return t.at(i)>>32 >= hash }); i < n && t.at(i)>>32 == hash; i++ {
		places = append(places, t.at(i))
	}
	return places
}
