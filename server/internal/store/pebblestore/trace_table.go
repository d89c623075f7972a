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

// find appends where the trace may be, in order.
func (t traceTable) find(places []tracePlace, id *core.TraceID) []tracePlace {
	hash := placeOf(id, 0, 0) >> 32
	n := len(t) / traceEntry
	for i := sort.Search(n, func(i int) bool { return t.at(i)>>32 >= hash }); i < n && t.at(i)>>32 == hash; i++ {
		places = append(places, t.at(i))
	}
	return places
}
