// Command blocks measures code that has no spans: nested blocks with bytes, a function that may fail, a site handle for a
// tight loop, and a function that is repeated for exact figures.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"os"

	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/report"
)

func main() {
	profiler, err := otelprof.New(otelprof.WithName("blocks"))
	if err != nil {
		log.Fatal(err)
	}
	if err := run(profiler, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run archives some text and writes the profile of that.
func run(p *otelprof.Profiler, w io.Writer) error {
	text := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog\n"), 20_000)
	for level := gzip.BestSpeed; level <= gzip.BestCompression; level += 4 {
		if err := archive(context.Background(), p, text, level); err != nil {
			return err
		}
	}
	// TimeErr counts this as an error of the block "verify".
	if err := p.TimeErr(context.Background(), "archive", "verify", verifyNothing); !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("verifying nothing: %w", err)
	}
	if err := repeatChecksum(p, text, w); err != nil {
		return err
	}
	if err := report.Tree(w, p.Snapshot(), report.TreeOptions{}); err != nil {
		return err
	}
	return report.Table(w, p.Snapshot(), report.TableOptions{})
}

// archive is a block of its own. Blocks that are started with its context are its children, as spans would be.
func archive(ctx context.Context, p *otelprof.Profiler, text []byte, level int) error {
	b := p.Block(ctx, "archive", "archive")
	defer b.End()
	checksumLines(p, text)
	return compress(b.Context(), p, text, level)
}

// compress says how many bytes it processed, so that the report has a bandwidth.
func compress(ctx context.Context, p *otelprof.Profiler, text []byte, level int) (err error) {
	b := p.Block(ctx, "archive", fmt.Sprintf("compress -%d", level))
	defer func() { b.EndErr(err) }()
	w, err := gzip.NewWriterLevel(io.Discard, level)
	if err != nil {
		return err
	}
	n, err := w.Write(text)
	b.AddBytes(int64(n))
	return errors.Join(err, w.Close())
}

// checksumLines measures each line. The handle is made once, so that a measurement costs two clock readings and little
// more, and allocates nothing. In return its measurements are roots of the tree: their time is in "archive" as well.
func checksumLines(p *otelprof.Profiler, text []byte) {
	line := p.Site("archive", "checksum of a line")
	for l := range bytes.Lines(text) {
		t := line.Start()
		crc32.ChecksumIEEE(l)
		t.EndBytes(int64(len(l)))
	}
}

// repeatChecksum runs a function a hundred times. Its statistics are printed by themselves and are in the profile too.
func repeatChecksum(p *otelprof.Profiler, text []byte, w io.Writer) error {
	options := otelprof.RepeatOptions{Count: 100, Warmup: 3, Bytes: int64(len(text))}
	result, err := p.Repeat(context.Background(), "archive", "checksum", options, func(context.Context) error {
		crc32.ChecksumIEEE(text)
		return nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%v\n\n", result)
	return err
}

func verifyNothing(context.Context) error { return io.ErrUnexpectedEOF }
