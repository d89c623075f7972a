package receiver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

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

// usualRatio is how much longer than the packed data room is made for, at first, when they are unpacked.
const usualRatio = 16

// firstRead is how much room a body gets before anything of it has come. The length that a client claims is only believed
// as far as it has sent an eighth of it.
const firstRead = 32 << 10

// read reads up to the end, and takes the room: first bytes of it at the beginning. size is what must come, or -1.
func (l *lease) read(from io.Reader, size, first, limit int64) ([]byte, error) {
	if size > limit {
		return nil, tooLarge(limit)
	}
	most, step := limit+1, int64(2)
	if size >= 0 {
		most, step = size, 8
	}
	var data []byte
	for room := min(first, most); ; room = min(room*step, most) {
		if err := l.take(room - int64(cap(data))); err != nil {
			return nil, err
		}
		grown := make([]byte, len(data), room)
		copy(grown, data)
		end := false
		var err error
		if data, end, err = fill(grown, from); err != nil {
			return nil, err
		}
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

// receive is read for what comes from a client.
func (l *lease) receive(from io.Reader, size, limit int64) ([]byte, error) {
	data, err := l.read(from, size, firstRead, limit)
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

// unpacker unpacks bodies, one at a time.
type unpacker struct {
	gzip *gzip.Reader
	zstd *zstd.Decoder
}

// newUnpackers returns as many as may work at once.
func newUnpackers(limits Limits) chan *unpacker {
	n := runtime.GOMAXPROCS(0)
	units := make(chan *unpacker, n)
	for range n {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(limits.WindowBytes), zstd.WithDecoderMaxMemory(uint64(limits.RequestBytes)))
		if err != nil {
			panic(err) // an option is out of range
		}
		units <- &unpacker{gzip: new(gzip.Reader), zstd: d}
	}
	return units
}

// unpack returns what was packed with the encoding. It may wait for other requests to be unpacked.
func (r *Receiver) unpack(ctx context.Context, l *lease, packed []byte, encoding string) ([]byte, error) {
	var u *unpacker
	select {
	case u = <-r.units:
		defer func() { r.units <- u }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	data, err := u.unpack(l, packed, encoding, r.limits.RequestBytes)
	switch {
	case err == nil:
		l.give(int64(cap(packed)))
		return data, nil
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, fmt.Errorf("%w: %w", otlp.ErrTooLarge, err)
	case errors.Is(err, otlp.ErrTooLarge), errors.Is(err, otlp.ErrOverloaded), errors.Is(err, errUnsupported):
		return nil, err
	}
	return nil, fmt.Errorf("%w: the body is not %s: %w", otlp.ErrMalformed, encoding, err)
}

func (u *unpacker) unpack(l *lease, packed []byte, encoding string, limit int64) ([]byte, error) {
	from := bytes.NewReader(packed)
	// The size that the packed data claim is believed as far as data are usually packed.
	room := min(int64(len(packed))*usualRatio, limit)
	switch encoding {
	case "gzip":
		if err := u.gzip.Reset(from); err != nil {
			return nil, err
		}
		if n := len(packed); n >= 4 {
			room = min(room, int64(binary.LittleEndian.Uint32(packed[n-4:])))
		}
		return l.read(u.gzip, -1, room+1, limit)
	case "zstd":
		var head zstd.Header
		if err := head.Decode(packed); err == nil && head.HasFCS {
			room = int64(min(uint64(room), head.FrameContentSize))
		}
		if err := u.zstd.Reset(from); err != nil {
			return nil, err
		}
		return l.read(u.zstd, -1, room+1, limit)
	}
	return nil, fmt.Errorf("%w: the encoding %q; gzip and zstd are supported", errUnsupported, encoding)
}

// fromJSON returns the request in protobuf. It may wait for other requests to be unpacked.
func (r *Receiver) fromJSON(ctx context.Context, l *lease, data []byte, s *signal) ([]byte, error) {
	select {
	case u := <-r.units:
		defer func() { r.units <- u }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := l.take(int64(len(data))); err != nil {
		return nil, err
	}
	request, err := s.fromJSON(data, int(r.limits.RequestBytes))
	if err != nil {
		return nil, err
	}
	l.give(int64(cap(data)+len(data)) - int64(cap(request)))
	return request, nil
}
