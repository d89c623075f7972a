package core

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrDecodeLimit is returned by the decoders when the input exceeds a limit of [DecodeLimits].
var ErrDecodeLimit = errors.New("limit exceeded")

// DecodeLimits bound what a decoder takes and with it the memory that it uses. A limit of 0 stands for its
// default. The defaults suffice for the merger of dozens of profiles made with [DefaultLimits]; the most that hostile
// input can make of them is in the order of 1 GiB.
type DecodeLimits struct {
	// MaxBytes is the size of the input: 64 MiB by default, 256 MiB for JSON.
	MaxBytes int64
	// MaxText is the length in bytes of a name, function or path: 64 KiB by default.
	MaxText int
	// MaxTexts is how many there can be: 1 048 576 by default.
	MaxTexts int
	// MaxBlocks and MaxNodes are 131 072 and 524 288 by default.
	MaxBlocks, MaxNodes int
	// MaxDepth is how long a path can be: 1 024 by default.
	MaxDepth int
	// MaxBuckets is how many non-empty buckets all histograms can have together: 16 777 216 by default.
	MaxBuckets int
}

const (
	defaultMaxBytes     = 64 << 20
	defaultMaxBytesJSON = 256 << 20
)

func (l DecodeLimits) orDefault(maxBytes int64) DecodeLimits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = maxBytes
	}
	for _, limit := range []struct {
		value    *int
		standard int
	}{
		{&l.MaxText, 1 << 16},
		{&l.MaxTexts, 1 << 20},
		{&l.MaxBlocks, 1 << 17},
		{&l.MaxNodes, 1 << 19},
		{&l.MaxDepth, 1 << 10},
		{&l.MaxBuckets, 1 << 24},
	} {
		if *limit.value <= 0 {
			*limit.value = limit.standard
		}
	}
	return l
}

// reader returns r with an error in place of what is beyond MaxBytes.
func (l DecodeLimits) reader(r io.Reader) io.Reader {
	if l.MaxBytes == math.MaxInt64 {
		return r
	}
	return &boundedReader{io.LimitedReader{R: r, N: l.MaxBytes + 1}, l.MaxBytes}
}

type boundedReader struct {
	io.LimitedReader
	limit int64
}

func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.LimitedReader.Read(p)
	if r.N <= 0 {
		return n, exceeded("bytes", r.limit)
	}
	return n, err
}

// budget counts what a decoder has taken of its limits. Its methods take one more.
type budget struct {
	limits                                DecodeLimits
	textsTaken, blocksTaken, bucketsTaken int
	// depths holds the length of the path to every node.
	depths []int32
}

func (b *budget) text(length int) error {
	b.textsTaken++
	if length > b.limits.MaxText {
		return exceeded("bytes of a text", int64(b.limits.MaxText))
	}
	return within("texts", b.textsTaken, b.limits.MaxTexts)
}

func (b *budget) block() error {
	b.blocksTaken++
	return within("blocks", b.blocksTaken, b.limits.MaxBlocks)
}

// node takes the next node; its parent must be one before it, or -1.
func (b *budget) node(parent int) error {
	if parent < -1 || parent >= len(b.depths) {
		return fmt.Errorf("its parent %d does not stand before it", parent)
	}
	depth := int32(1)
	if parent >= 0 {
		depth += b.depths[parent]
	}
	if int(depth) > b.limits.MaxDepth {
		return exceeded("nodes on a path", int64(b.limits.MaxDepth))
	}
	b.depths = append(b.depths, depth)
	return within("nodes", len(b.depths), b.limits.MaxNodes)
}

func (b *budget) buckets(n int) error {
	b.bucketsTaken += n
	return within("buckets", b.bucketsTaken, b.limits.MaxBuckets)
}

func within(what string, n, limit int) error {
	if n > limit {
		return exceeded(what, int64(limit))
	}
	return nil
}

func exceeded(what string, limit int64) error {
	return fmt.Errorf("%w: more than %d %s", ErrDecodeLimit, limit, what)
}
