package receiver

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/stichotrope/stichotrope-go/server/internal/buffer"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// errUnsupported is an encoding or a content type that nobody here reads.
var errUnsupported = errors.New("unsupported")

// errCutOff is a body that does not come to its end.
var errCutOff = errors.New("cut off")

// lease is the memory that one request holds, as a part of what all may hold.
type lease struct {
	total *atomic.Int64
	limit int64
	held  int64
}

func (r *Receiver) lease() *lease {
	return &lease{total: &r.Counters.InFlightBytes, limit: r.limits.InFlightBytes}
}

// take adds to what the request holds, or returns an error if there is no room.
func (l *lease) take(n int64) error {
	if l.total.Add(n) > l.limit {
		l.total.Add(-n)
		return fmt.Errorf("%w: %d bytes of requests are in flight", otlp.ErrOverloaded, l.limit)
	}
	l.held += n
	return nil
}

// give returns a part of it.
func (l *lease) give(n int64) {
	l.held -= n
	l.total.Add(-n)
}

// free returns everything.
func (l *lease) free() { l.give(l.held) }

// firstRead is how much room a body gets before anything of it has come. The length that a client claims is only believed
// as far as it has sent an eighth of it.
const firstRead = 32 << 10

// read reads up to the end into a buffer, and takes the room for it. size is what must come, or -1.
func (l *lease) read(from io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, tooLarge(limit)
	}
	most, step := limit+1, int64(2)
	if size >= 0 {
		most, step = size, 8
	}
	var data []byte
	for room := min(firstRead, most); ; room *= step {
		if room >= limit { // no step for the one byte that tells whether there is more
			room = most
		}
		room = min(room, most)
		grown, err := l.grow(data, room)
		if err != nil {
			return nil, err
		}
		// What is not asked for stays with the client.
		part, end, err := fill(grown[:len(grown):room], from)
		if err != nil {
			return nil, err
		}
		data = grown[:len(part)]
		switch {
		case int64(len(data)) > limit:
			return nil, tooLarge(limit)
		case int64(len(data)) == size, end && size < 0:
			return data, nil
		case end:
			return nil, io.ErrUnexpectedEOF
		}
	}
}

// grow puts data into a buffer that has more room.
func (l *lease) grow(data []byte, room int64) ([]byte, error) {
	// First: where there is no room, none is made. For a moment there are both.
	if err := l.take(int64(buffer.Size(int(room)))); err != nil {
		return nil, err
	}
	grown := append(buffer.Get(int(room)), data...)
	l.give(int64(cap(data)))
	buffer.Put(data)
	return grown, nil
}

// receive is read for what comes from a client.
func (l *lease) receive(from io.Reader, size, limit int64) ([]byte, error) {
	data, err := l.read(from, size, limit)
	if err == nil || errors.Is(err, otlp.ErrTooLarge) || errors.Is(err, otlp.ErrOverloaded) {
		return data, err
	}
	return nil, fmt.Errorf("%w: %w", errCutOff, err)
}

// fill reads until the room of data is full, or the end comes before it is.
func fill(data []byte, from io.Reader) (filled []byte, end bool, err error) {
	for len(data) < cap(data) {
		n, err := from.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, true, nil
		}
		if err != nil {
			return data, false, err
		}
	}
	return data, false, nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: more than %d bytes", otlp.ErrTooLarge, limit)
}
