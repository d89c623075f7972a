package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// Collector takes what was read.
type Collector interface {
	// Traces takes an encoded ExportTraceServiceRequest, which is the same as TracesData. It may keep the bytes.
	Traces(ctx context.Context, request []byte) error
	// Metrics takes an encoded ExportMetricsServiceRequest.
	Metrics(ctx context.Context, request []byte) error
	// Snapshot takes a saved profile.
	Snapshot(ctx context.Context, s *core.Snapshot) error
}

// Converter turns OTLP/JSON into protobuf.
type Converter interface {
	Traces(text []byte) ([]byte, error)
	Metrics(text []byte) ([]byte, error)
}

// Limits bound what is read.
type Limits struct {
	// MaxMessage is how large a message may be, decompressed, in bytes; 0 means 64 MiB.
	MaxMessage int
}

func (l Limits) maxMessage() int {
	if l.MaxMessage <= 0 {
		return 64 << 20
	}
	return l.MaxMessage
}

// Reader reads inputs. The zero value is ready.
type Reader struct {
	// Convert is nil for that of package otlp.
	Convert Converter
	Limits  Limits
}

func (in Reader) converter() Converter {
	if in.Convert != nil {
		return in.Convert
	}
	return official(in.Limits.maxMessage())
}

// official converts by the tables of OTLP, up to so many bytes.
type official int

func (limit official) Traces(text []byte) ([]byte, error) {
	return otlp.TracesFromJSON(text, int(limit))
}
func (limit official) Metrics(text []byte) ([]byte, error) {
	return otlp.MetricsFromJSON(text, int(limit))
}

// ErrUnknown says that an input is none of the formats.
var ErrUnknown = errors.New("this is neither OTLP (JSON, lines of JSON, protobuf) nor a snapshot")

// magic are the first bytes of what has any.
var (
	magicGzip     = []byte{0x1f, 0x8b}
	magicZstd     = []byte{0x28, 0xb5, 0x2f, 0xfd}
	magicSnapshot = []byte("\x0a\x11otelprof.snapshot")
)

// Read reads all of r.
func (in Reader) Read(ctx context.Context, r io.Reader, c Collector) error {
	return in.read(ctx, bufio.NewReaderSize(r, 1<<16), c, 0)
}

// maxNesting is how often compressed data may hold compressed data.
const maxNesting = 2

func (in Reader) read(ctx context.Context, r *bufio.Reader, c Collector, nesting int) error {
	head, err := r.Peek(len(magicSnapshot))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(head) == 0:
		return errors.New("it is empty")
	case nesting > maxNesting:
		return errors.New("compressed too many times")
	case bytes.HasPrefix(head, magicGzip):
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		defer z.Close()
		return in.read(ctx, bufio.NewReaderSize(z, 1<<16), c, nesting+1)
	case bytes.HasPrefix(head, magicZstd):
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(uint64(in.Limits.maxMessage())), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return fmt.Errorf("zstd: %w", err)
		}
		defer z.Close()
		return in.read(ctx, bufio.NewReaderSize(z, 1<<16), c, nesting+1)
	case bytes.Equal(head, magicSnapshot):
		s, err := core.Decode(r, core.DecodeLimits{})
		if err != nil {
			return err
		}
		return c.Snapshot(ctx, s)
	case head[0] == '{' || head[0] == ' ' || head[0] == '\r' || head[0] == '\t':
		return in.json(ctx, r, c)
	case head[0] == 0:
		return in.frames(ctx, r, c)
	}
	return in.protobuf(ctx, r, c)
}

// json reads any number of JSON documents, one after the other.
func (in Reader) json(ctx context.Context, r io.Reader, c Collector) error {
	bounded := &bounded{r: r, limit: int64(in.Limits.maxMessage())}
	d := json.NewDecoder(bounded)
	for n := 1; ; n++ {
		bounded.left = bounded.limit
		var text json.RawMessage
		if err := d.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
		if err := in.document(ctx, text, c); err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
	}
}

// document takes one JSON document.
func (in Reader) document(ctx context.Context, text []byte, c Collector) error {
	var keys struct {
		Format          string                                  `json:"format"`
		ResourceSpans   present                                 `json:"resourceSpans"`
		ResourceMetrics present                                 `json:"resourceMetrics"`
		ResourceLogs    present                                 `json:"resourceLogs"`
		Result          struct{ ResourceSpans json.RawMessage } `json:"result"`
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	switch {
	case keys.Format == "otelprof.snapshot":
		s, err := core.DecodeJSON(bytes.NewReader(text), core.DecodeLimits{})
		if err != nil {
			return err
		}
		return c.Snapshot(ctx, s)
	case keys.Result.ResourceSpans != nil: // as Jaeger's API wraps it
		text, keys.ResourceSpans = append(append([]byte(`{"resourceSpans":`), keys.Result.ResourceSpans...), '}'), true
	}
	var err error
	switch {
	case bool(keys.ResourceSpans):
		if text, err = in.converter().Traces(text); err == nil {
			err = c.Traces(ctx, text)
		}
	case bool(keys.ResourceMetrics):
		if text, err = in.converter().Metrics(text); err == nil {
			err = c.Metrics(ctx, text)
		}
	case bool(keys.ResourceLogs):
		// Logs hold no spans: the Collector's file exporter puts all signals into one file.
	default:
		err = ErrUnknown
	}
	return err
}

// present is true if a member is there, whatever it holds.
type present bool

// UnmarshalJSON notes that there is something.
func (p *present) UnmarshalJSON([]byte) error { *p = true; return nil }

// frames reads messages that follow their lengths in 4 bytes, big-endian, as the Collector's file exporter writes protobuf
// and everything compressed.
func (in Reader) frames(ctx context.Context, r *bufio.Reader, c Collector) error {
	var head [4]byte
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		size := int(binary.BigEndian.Uint32(head[:]))
		if size > in.Limits.maxMessage() {
			return fmt.Errorf("message %d has %d bytes, more than %d", n, size, in.Limits.maxMessage())
		}
		var message bytes.Buffer
		if _, err := io.CopyN(&message, r, int64(size)); err != nil {
			return fmt.Errorf("message %d: %w", n, noEOF(err))
		}
		if message.Len() == 0 {
			continue
		}
		if err := in.read(ctx, bufio.NewReader(&message), c, 1); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// protobuf reads one message.
func (in Reader) protobuf(ctx context.Context, r io.Reader, c Collector) error {
	limit := in.Limits.maxMessage()
	message, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return err
	}
	if len(message) > limit {
		return fmt.Errorf("a message of more than %d bytes", limit)
	}
	// A line break is also the first byte of a message.
	if text := bytes.TrimSpace(message); len(text) > 0 && text[0] == '{' && json.NewDecoder(bytes.NewReader(text)).Decode(new(json.RawMessage)) == nil {
		return in.json(ctx, bytes.NewReader(text), c)
	}
	switch signalOf(message) {
	case traces:
		return c.Traces(ctx, message)
	case metrics:
		return c.Metrics(ctx, message)
	}
	return ErrUnknown
}

// bounded fails when more than left bytes are read.
type bounded struct {
	r           io.Reader
	limit, left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a document of more than %d bytes", b.limit)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
