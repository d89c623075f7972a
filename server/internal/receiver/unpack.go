package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stichotrope/stichotrope-go/server/internal/buffer"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// unpacker unpacks bodies, one at a time. It does so into chunks of its own, and then copies what came out: so nothing is
// kept that is longer than it needs to be, and a bomb takes no more room than a request may have.
type unpacker struct {
	gzip   *gzip.Reader
	zstd   *zstd.Decoder
	chunks [][]byte
}

const (
	chunkBytes = 1 << 20
	// keptChunks are kept for the next body.
	keptChunks = 2
	// usualRatio is how much longer bodies usually become.
	usualRatio = 64
)

// errUnusual says that a body becomes longer than is usual.
var errUnusual = errors.New("unusually much")

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

// unit waits for an unpacker, which must be given back.
func (r *Receiver) unit(ctx context.Context) (*unpacker, error) {
	select {
	case u := <-r.units:
		return u, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// unpack returns what was packed with the encoding. It may wait for other requests to be unpacked.
func (r *Receiver) unpack(ctx context.Context, l *lease, packed []byte, encoding string) ([]byte, error) {
	u, err := r.unit(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { r.units <- u }()
	data, err := u.unpack(l, packed, encoding, r.limits.RequestBytes)
	switch {
	case err == nil:
		l.give(int64(cap(packed)))
		buffer.Put(packed)
		return data, nil
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, fmt.Errorf("%w: %w", otlp.ErrTooLarge, err)
	case errors.Is(err, otlp.ErrTooLarge), errors.Is(err, otlp.ErrOverloaded), errors.Is(err, errUnsupported):
		return nil, err
	}
	return nil, fmt.Errorf("%w: the body is not %s: %w", otlp.ErrMalformed, encoding, err)
}

func (u *unpacker) unpack(l *lease, packed []byte, encoding string, limit int64) ([]byte, error) {
	from, err := u.open(packed, encoding)
	if err != nil {
		return nil, err
	}
	data, err := u.read(l, from, limit, int64(len(packed))*usualRatio)
	if !errors.Is(err, errUnusual) {
		return data, err
	}
	// It may be a bomb. How much comes out is found out first, without keeping any of it.
	if from, err = u.open(packed, encoding); err != nil {
		return nil, err
	}
	size, err := io.CopyBuffer(io.Discard, io.LimitReader(struct{ io.Reader }{from}, limit+1), u.chunks[0][:chunkBytes])
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, tooLarge(limit)
	}
	if from, err = u.open(packed, encoding); err != nil {
		return nil, err
	}
	return u.read(l, from, limit, limit)
}

func (u *unpacker) open(packed []byte, encoding string) (io.Reader, error) {
	switch encoding {
	case "gzip":
		return u.gzip, u.gzip.Reset(bytes.NewReader(packed))
	case "zstd":
		return u.zstd, u.zstd.Reset(bytes.NewReader(packed))
	}
	return nil, fmt.Errorf("%w: the encoding %q; gzip and zstd are supported", errUnsupported, encoding)
}

// read reads up to the end, and takes the room for what it returns. It returns errUnusual when it had to make room for more
// than is usual.
func (u *unpacker) read(l *lease, from io.Reader, limit, usual int64) ([]byte, error) {
	size, held := int64(0), int64(0)
	defer func() {
		l.give(held)
		if len(u.chunks) > keptChunks {
			clear(u.chunks[keptChunks:])
			u.chunks = u.chunks[:keptChunks]
		}
	}()
	for i, end := 0, false; !end; i++ {
		if i >= keptChunks && size > usual {
			return nil, errUnusual
		}
		if err := l.take(chunkBytes); err != nil {
			return nil, err
		}
		held += chunkBytes
		if i == len(u.chunks) {
			u.chunks = append(u.chunks, make([]byte, 0, chunkBytes))
		}
		var err error
		if u.chunks[i], end, err = fill(u.chunks[i][:0], from); err != nil {
			return nil, err
		}
		if size += int64(len(u.chunks[i])); size > limit {
			return nil, tooLarge(limit)
		}
	}
	data, err := l.grow(nil, size)
	if err != nil {
		return nil, err
	}
	for _, chunk := range u.chunks[:held/chunkBytes] {
		data = append(data, chunk...)
	}
	return data, nil
}

// fromJSON returns the request in protobuf. It may wait for other requests to be unpacked.
func (r *Receiver) fromJSON(ctx context.Context, l *lease, data []byte, s *signal) ([]byte, error) {
	u, err := r.unit(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { r.units <- u }()
	// While it is translated there is the JSON, the protobuf, and its copy of the right length.
	extra := 2 * int64(len(data))
	if err := l.take(extra); err != nil {
		return nil, err
	}
	request, err := s.fromJSON(data, int(r.limits.RequestBytes))
	if err != nil {
		return nil, err
	}
	l.give(int64(cap(data)) + extra - int64(cap(request)))
	buffer.Put(data)
	return request, nil
}
