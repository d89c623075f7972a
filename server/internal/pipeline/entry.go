package pipeline

import (
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/stichotrope/stichotrope-go/server/internal/buffer"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// maxEntry is how large a request may be.
const maxEntry = 1 << 30

// entry is a request as the log and the memory keep it: in a block of S2. Spans of one request repeat each other, so
// that it has about a sixth of the bytes, and what is pending touches that much less memory.
type entry []byte

// pack compresses a request. The entry is the caller's, to give back with buffer.Put.
func pack(request []byte) (entry, error) {
	if len(request) > maxEntry {
		return nil, fmt.Errorf("a request of %d bytes: the log takes %d at most", len(request), maxEntry)
	}
	into := buffer.Get(s2.MaxEncodedLen(len(request)))
	return s2.Encode(into[:cap(into)], request), nil
}

// unpack returns the request. It uses the memory of into.
func (e entry) unpack(into []byte) ([]byte, error) {
	n, err := s2.DecodedLen(e)
	if err != nil || n > maxEntry {
		return nil, fmt.Errorf("%w: log entry of %d bytes", store.ErrDamaged, n)
	}
	if cap(into) < n {
		into = make([]byte, n)
	}
	request, err := s2.Decode(into[:cap(into)], e)
	if err != nil {
		return nil, fmt.Errorf("%w: log entry: %w", store.ErrDamaged, err)
	}
	return request, nil
}
