package core

import "maps"

// liveHistogram counts durations at [Scale]. Its 4 033 possible buckets are kept in chunks, allocated when first hit: a
// site that spreads over three decades holds about 40 chunks of 64 bytes.
//
// A snapshot takes the chunks as they are, without a copy; the next observation makes one to go on with. So
// a snapshot costs next to nothing, and nothing is copied for a histogram that does not change.
type liveHistogram struct {
	zero uint64
	// chunks are those present. They are nil while the counts are those of shared, and after a reset.
	chunks  []chunk
	present chunkSet
	// carry holds the multiples of 2^32 of the counters that went over.
	carry map[int]uint64
	// shared is what the last snapshot took, nil once there is something that it lacks.
	shared *packed
}

// add counts one duration, which must be below 2^63.
func (h *liveHistogram) add(d uint64) {
	if d == 0 {
		h.zero++
		return
	}
	i := uint(BucketIndex(d) + 1) // the lowest index is -1
	c := i / chunkSize
	if h.chunks == nil || !h.present.has(c) {
		h.own(c)
	}
	n := &h.chunks[h.present.rank(c)][i%chunkSize]
	*n++
	if *n == 0 {
		if h.carry == nil {
			h.carry = make(map[int]uint64)
		}
		h.carry[int(i)] += 1 << 32
	}
}

// own makes the chunk c one that is there and can be changed.
func (h *liveHistogram) own(c uint) {
	switch {
	case h.shared != nil:
		h.chunks = append([]chunk(nil), h.shared.chunks...)
		h.carry, h.shared = maps.Clone(h.shared.carry), nil
	case h.chunks == nil:
		h.chunks = append([]chunk(nil), make([]chunk, h.present.len())...)
	}
	if !h.present.has(c) {
		h.insert(c)
	}
}

// insert adds the chunk c.
func (h *liveHistogram) insert(c uint) {
	n, at := len(h.chunks), h.present.rank(c)
	if n < cap(h.chunks) {
		h.chunks = h.chunks[:n+1]
		copy(h.chunks[at+1:], h.chunks[at:])
		h.chunks[at] = chunk{}
	} else {
		// Just what is needed, as append rounds it up: a site has about as many chunks after a minute as after a year.
		chunks := append([]chunk(nil), make([]chunk, n+1)...)
		copy(chunks, h.chunks[:at])
		copy(chunks[at+1:], h.chunks[at:])
		h.chunks = chunks
	}
	h.present.put(c)
}

// share returns the histogram in the form of snapshots.
func (h *liveHistogram) share() Histogram {
	if h.chunks != nil {
		h.shared = &packed{present: h.present, chunks: h.chunks, carry: h.carry}
		h.chunks, h.carry = nil, nil
	}
	return Histogram{Zero: h.zero, shared: h.shared}
}

// reset empties the histogram. What was shared stays as it is.
func (h *liveHistogram) reset() {
	h.zero, h.chunks, h.carry, h.shared = 0, nil, nil, nil
}
