package pipeline

// piece holds some spans of a pending trace. A trace grows by pieces, so that nothing is copied while it grows, and little
// memory is unused: with millions of spans pending, touching fresh memory would be the dearest that is done with them.
type piece struct {
	next  *piece
	n     int
	spans [pieceSpans]span
}

const (
	pieceSpans = 4
	slab       = 128 // pieces
	// maxFreePieces is how many pieces a shard keeps for reuse, of some 400 bytes each.
	maxFreePieces = 8192
)

// pieces keeps pieces for reuse.
type pieces struct {
	free *piece
	n    int
}

func (f *pieces) take() *piece {
	if f.free == nil {
		fresh := make([]piece, slab)
		for i := range fresh {
			f.push(&fresh[i])
		}
	}
	p := f.free
	f.free, p.next = p.next, nil
	f.n--
	return p
}

// give takes back a piece that was emptied, unless there are enough.
func (f *pieces) give(p *piece) {
	if f.n < maxFreePieces {
		f.push(p)
	}
}

func (f *pieces) push(p *piece) {
	p.next = f.free
	f.free = p
	f.n++
}

// add puts spans behind those that the trace has.
func (t *trace) add(spans []span, free *pieces) {
	t.n += len(spans)
	for len(spans) > 0 {
		if t.last == nil {
			t.first = free.take()
			t.last = t.first
		} else if t.last.n == pieceSpans {
			t.last.next = free.take()
			t.last = t.last.next
		}
		n := copy(t.last.spans[t.last.n:], spans)
		t.last.n += n
		spans = spans[n:]
	}
}

// gather puts all spans of the trace into one slice of the memory. Its pieces are free then.
func (t *trace) gather(memory *arena, free *pieces) {
	if t.first == nil {
		return
	}
	t.spans = memory.take(t.n)
	to := t.spans
	for p := t.first; p != nil; {
		to = to[copy(to, p.spans[:p.n]):]
		clear(p.spans[:p.n])
		next := p.next
		p.next, p.n = nil, 0
		free.give(p)
		p = next
	}
	t.first, t.last = nil, nil
}

// arena is the memory of the spans of filed traces, which become free together.
type arena struct {
	chunks [][]span // the last one has room
	free   [][]span // chunks that were used before
}

// arenaChunk is how many spans a chunk has room for; a larger trace gets one of its own.
const arenaChunk = 4096

// take returns room for n spans.
func (a *arena) take(n int) []span {
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < n {
		a.chunks = append(a.chunks, a.chunk(n))
		last++
	}
	from := len(a.chunks[last])
	a.chunks[last] = a.chunks[last][:from+n]
	return a.chunks[last][from : from+n : from+n]
}

func (a *arena) chunk(n int) []span {
	if f := len(a.free); f > 0 && n <= arenaChunk {
		c := a.free[f-1]
		a.free = a.free[:f-1]
		return c
	}
	return make([]span, 0, max(n, arenaChunk))
}

// empty makes all that was taken free, and forgets what was in it.
func (a *arena) empty() {
	for _, c := range a.chunks {
		clear(c)
		if cap(c) == arenaChunk {
			a.free = append(a.free, c[:0])
		}
	}
	clear(a.chunks)
	a.chunks = a.chunks[:0]
}
