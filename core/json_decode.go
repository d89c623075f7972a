package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// DecodeJSON reads a snapshot in its JSON form up to the end of r; see [Snapshot.MarshalJSON]. Unknown members are
// skipped, members may stand in any order. Errors and limits are those of [Decode].
func DecodeJSON(r io.Reader, limits DecodeLimits) (*Snapshot, error) {
	limits = limits.orDefault(defaultMaxBytesJSON)
	d := jsonDecoder{
		budget: budget{limits: limits},
		json:   json.NewDecoder(limits.reader(r)),
		out:    &Snapshot{},
	}
	err := d.snapshot()
	if err == nil {
		err = d.out.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	return d.out, nil
}

// UnmarshalJSON replaces the snapshot by the one in data. It has the limits of the zero [DecodeLimits], but for
// MaxBytes, and leaves s as it is on an error and on null.
func (s *Snapshot) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	decoded, err := DecodeJSON(bytes.NewReader(data), DecodeLimits{MaxBytes: math.MaxInt64})
	if err != nil {
		return err
	}
	*s = *decoded
	return nil
}

// jsonDecoder takes blocks and nodes one at a time, so that the limits hold before the memory is used.
type jsonDecoder struct {
	budget
	json *json.Decoder
	head jsonHead
	out  *Snapshot
}

// snapshot reads the document.
func (d *jsonDecoder) snapshot() error {
	if err := d.delimiter('{'); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSnapshot, err)
	}
	if err := d.members(d.member); err != nil {
		return err
	}
	if _, err := d.json.Token(); err == nil {
		return errors.New("there is something after the snapshot")
	} else if err != io.EOF {
		return err
	}
	return d.finishHead()
}

// members calls value for every member of an object whose brace was read, and reads the closing one.
func (d *jsonDecoder) members(value func(name string) error) error {
	for d.json.More() {
		token, err := d.json.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if err := value(name); err != nil {
			return fmt.Errorf("member %.40q: %w", name, err)
		}
	}
	return d.delimiter('}')
}

func (d *jsonDecoder) skip() error {
	var skipped json.RawMessage
	return d.json.Decode(&skipped)
}

func (d *jsonDecoder) delimiter(want json.Delim) error {
	token, err := d.json.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && token != want {
		err = fmt.Errorf("there is %.40q where %q should be", fmt.Sprint(token), want.String())
	}
	return err
}

func (d *jsonDecoder) member(name string) error {
	switch name {
	case "format":
		return d.json.Decode(&d.head.Format)
	case "version":
		return d.json.Decode(&d.head.Version)
	case "scale":
		return d.json.Decode(&d.head.Scale)
	case "start":
		return d.json.Decode(&d.head.Start)
	case "end":
		return d.json.Decode(&d.head.End)
	case "names":
		return d.each(func() error { return d.string(&d.out.Names) })
	case "disabled_tracks":
		return d.each(func() error { return d.string(&d.out.DisabledTracks) })
	case "counters":
		return d.counters()
	case "blocks":
		return d.each(d.nextBlock)
	case "nodes":
		return d.each(d.nextNode)
	}
	return d.skip()
}

// each calls next for every element of a list.
func (d *jsonDecoder) each(next func() error) error {
	if err := d.delimiter('['); err != nil {
		return err
	}
	for i := 0; d.json.More(); i++ {
		if err := next(); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return d.delimiter(']')
}

func (d *jsonDecoder) string(list *[]string) error {
	var s string
	err := d.json.Decode(&s)
	if err == nil {
		err = d.text(len(s))
	}
	*list = append(*list, s)
	return err
}

func (d *jsonDecoder) counters() error {
	counters := d.out.Counters.named()
	if err := d.delimiter('{'); err != nil {
		return err
	}
	return d.members(func(name string) error {
		if n, ok := counters[name]; ok {
			return d.json.Decode((*decimal)(n))
		}
		return d.skip()
	})
}

func (d *jsonDecoder) nextBlock() error {
	if err := d.block(); err != nil {
		return err
	}
	var b jsonBlock
	if err := d.json.Decode(&b); err != nil {
		return err
	}
	for _, text := range b.Site.texts() {
		if err := d.text(len(*text)); err != nil {
			return err
		}
	}
	stats, err := d.statistics(&b.Stats)
	d.out.Blocks = append(d.out.Blocks, Block{b.Site, stats, int64(b.Pending)})
	return err
}

func (d *jsonDecoder) nextNode() error {
	var n jsonNode
	if err := d.json.Decode(&n); err != nil {
		return err
	}
	if err := d.node(n.Parent); err != nil {
		return err
	}
	stats, err := d.statistics(&n.Stats)
	d.out.Nodes = append(d.out.Nodes, Node{n.Parent, n.Block, stats})
	return err
}

func (d *jsonDecoder) statistics(s *jsonStats) (Stats, error) {
	durations, err := d.histogram(&s.jsonHistogram)
	if err != nil {
		return Stats{}, err
	}
	out := Stats{
		Count: uint64(s.Count), Errors: uint64(s.Errors),
		Total: uint64(s.Total), Self: uint64(s.Self), Critical: uint64(s.Critical), Unsampled: uint64(s.Unsampled),
		Min: uint64(s.Min), Max: uint64(s.Max),
		SumSquares: s.SumSquares, Bytes: uint64(s.Bytes), Active: int64(s.Active),
		First: int64(s.First), Last: int64(s.Last),
		Slowest: s.Slowest.exemplar(), LastError: s.LastError.exemplar(),
		Histogram: durations,
	}
	if s.SelfHistogram != nil {
		var h Histogram
		h, err = d.histogram(s.SelfHistogram)
		out.SelfHistogram = &h
	}
	return out, err
}

func (d *jsonDecoder) histogram(j *jsonHistogram) (Histogram, error) {
	if len(j.BucketIndex) != len(j.BucketCounts) {
		return Histogram{}, fmt.Errorf("histogram: %d buckets, but %d counts", len(j.BucketIndex), len(j.BucketCounts))
	}
	if err := d.buckets(len(j.BucketIndex)); err != nil {
		return Histogram{}, err
	}
	h := Histogram{Zero: uint64(j.ZeroCount)}
	for i, index := range j.BucketIndex {
		h.sparse = append(h.sparse, Bucket{index, uint64(j.BucketCounts[i])})
	}
	return h, nil
}

func (e *jsonExemplar) exemplar() Exemplar {
	return Exemplar{e.Trace, e.Span, uint64(e.Duration), int64(e.Time), e.Sampled}
}

// finishHead checks what may stand anywhere in the document.
func (d *jsonDecoder) finishHead() error {
	switch {
	case d.head.Format != format:
		return fmt.Errorf("%w: format is %.40q, want %q", ErrNotSnapshot, d.head.Format, format)
	case d.head.Version != formatVersion:
		return fmt.Errorf("version is %d, want %d", d.head.Version, formatVersion)
	case d.head.Scale != Scale:
		return fmt.Errorf("scale of the histograms is %d, want %d", d.head.Scale, Scale)
	}
	d.out.Start, d.out.End = plainTime(d.head.Start), plainTime(d.head.End)
	return nil
}
