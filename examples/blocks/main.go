// Command blocks measures code that has no spans: nested blocks with bytes, a function that may fail, and a site
// handle for a tight loop.
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

func verifyNothing(context.Context) error { return io.ErrUnexpectedEOF }
