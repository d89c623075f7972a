package core

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// ErrNotSnapshot is returned by the decoders when the input is something else altogether.
var ErrNotSnapshot = errors.New("not an otelprof snapshot")

// Decode reads a snapshot in its binary form up to the end of r; see [Snapshot.MarshalBinary]. It skips unknown
// fields, and refuses what is not valid, naming it. The error wraps [ErrNotSnapshot] when the input is no snapshot at
// all and [ErrDecodeLimit] when it exceeds a limit. Memory grows with what was read, never with what the
// input announces. Times in the result are in UTC.
//
// Compressed input has to be decompressed by the caller; the limits then bound what comes out.
func Decode(r io.Reader, limits DecodeLimits) (*Snapshot, error) {
	limits = limits.orDefault(defaultMaxBytes)
	data, err := io.ReadAll(limits.reader(r))
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return decode(data, limits)
}

// UnmarshalBinary replaces the snapshot by the one in data, which it does not keep. It has the limits of the
// zero [DecodeLimits], but for MaxBytes, and leaves s as it is on an error; see [Decode].
func (s *Snapshot) UnmarshalBinary(data []byte) error {
	decoded, err := decode(data, DecodeLimits{}.orDefault(math.MaxInt64))
	if err != nil {
		return err
	}
	*s = *decoded
	return nil
}

func decode(data []byte, limits DecodeLimits) (*Snapshot, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return nil, fmt.Errorf("decode snapshot: %w: it is compressed with gzip", ErrNotSnapshot)
	}
	if !bytes.HasPrefix(data, appendBytes(nil, 1, format)) {
		return nil, fmt.Errorf("decode snapshot: %w", ErrNotSnapshot)
	}
	d := decoder{budget: budget{limits: limits}, strings: []string{""}, out: &Snapshot{}}
	if err := d.snapshot(data); err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	return d.out, nil
}

type decoder struct {
	budget
	formats  int
	version  uint64
	scale    int64
	complete uint64
	strings  []string
	// These are of the statistics at hand.
	durations, selfTimes histogramReader
	out                  *Snapshot
}

// snapshot reads the whole input.
func (d *decoder) snapshot(data []byte) error {
	// Blocks need the strings, and the order of different fields is not fixed in protobuf.
	if err := eachField(data, d.head); err != nil {
		return err
	}
	switch {
	case d.version != formatVersion:
		return fmt.Errorf("version is %d, want %d", d.version, formatVersion)
	case d.scale != Scale:
		return fmt.Errorf("scale of the histograms is %d, want %d", d.scale, Scale)
	case d.complete != 1:
		return errTruncated
	}
	if err := eachField(data, d.body); err != nil {
		return err
	}
	return d.out.Validate()
}

// head reads all fields of a Snapshot message but blocks and nodes.
func (d *decoder) head(f wireField) error {
	switch f.number {
	case 1:
		if d.formats++; d.formats > 1 {
			return errors.New("there are several snapshots in the input; merge them instead of concatenating them")
		}
	case 2:
		return f.uint(&d.version, math.MaxUint32)
	case 3:
		return f.sint(&d.scale)
	case 4:
		return readMoment(f, &d.out.Start)
	case 5:
		return readMoment(f, &d.out.End)
	case 6:
		return d.appendString(&d.out.Names, f)
	case 7:
		return d.appendString(&d.out.DisabledTracks, f)
	case 8:
		return nested(f, d.counter)
	case 9:
		return d.appendString(&d.strings, f)
	case 12:
		return f.uint(&d.complete, 1)
	}
	return nil
}

// body reads blocks and nodes.
func (d *decoder) body(f wireField) error {
	switch f.number {
	case 10:
		i := len(d.out.Blocks)
		if err := d.block(); err != nil {
			return err
		}
		d.out.Blocks = append(d.out.Blocks, Block{})
		b := &d.out.Blocks[i]
		if err := nested(f, func(f wireField) error { return d.blockField(b, f) }); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	case 11:
		i := len(d.out.Nodes)
		n := Node{Parent: -1}
		err := nested(f, func(f wireField) error { return d.nodeField(&n, i, f) })
		if err == nil {
			err = d.node(n.Parent)
		}
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		d.out.Nodes = append(d.out.Nodes, n)
	}
	return nil
}

// nested reads the message in a field.
func nested(f wireField, field func(wireField) error) error {
	message, err := f.bytes()
	if err != nil {
		return err
	}
	return eachField(message, field)
}

func readMoment(f wireField, t *time.Time) error {
	var nanos int64
	err := f.fixed64(&nanos)
	*t = time.Unix(0, nanos).UTC()
	return err
}

func (d *decoder) appendString(list *[]string, f wireField) error {
	text, err := f.bytes()
	if err == nil {
		err = d.text(len(text))
	}
	if err != nil {
		return err
	}
	*list = append(*list, string(text))
	return nil
}

func (d *decoder) counter(f wireField) (err error) {
	field := 0
	d.out.Counters.each(&Counters{}, func(n *uint64, _ uint64) {
		if field++; field == f.number {
			err = f.uint(n, math.MaxUint64)
		}
	})
	return err
}

func (d *decoder) blockField(b *Block, f wireField) error {
	switch f.number {
	case 1:
		return d.lookUp(&b.Site.Track, f)
	case 2:
		return d.lookUp(&b.Site.Name, f)
	case 3:
		return d.lookUp(&b.Site.Function, f)
	case 4:
		return d.lookUp(&b.Site.File, f)
	case 5:
		var line uint64
		err := f.uint(&line, math.MaxInt32)
		b.Site.Line = int(line)
		return err
	case 6:
		var kind uint64
		err := f.uint(&kind, math.MaxUint8)
		b.Site.Kind = Kind(kind)
		return err
	case 7:
		return f.sint(&b.Pending)
	case 8:
		return d.statistics(&b.Stats, f)
	case 9:
		return d.lookUp(&b.Site.Service, f)
	}
	return nil
}

// lookUp reads the index of a string.
func (d *decoder) lookUp(s *string, f wireField) error {
	var i uint64
	if err := f.uint(&i, uint64(len(d.strings)-1)); err != nil {
		return fmt.Errorf("index of a string: %w", err)
	}
	*s = d.strings[i]
	return nil
}

// nodeField reads a field of node i.
func (d *decoder) nodeField(n *Node, i int, f wireField) error {
	switch f.number {
	case 1:
		var up uint64
		err := f.uint(&up, uint64(i))
		n.Parent = -1
		if up > 0 {
			n.Parent = i - int(up)
		}
		return err
	case 2:
		var block uint64
		err := f.uint(&block, math.MaxInt32)
		n.Block = int(block)
		return err
	case 3:
		return d.statistics(&n.Stats, f)
	}
	return nil
}
