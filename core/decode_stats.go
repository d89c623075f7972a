package core

import (
	"errors"
	"fmt"
	"math"
)

// statistics reads a Stats message.
func (d *decoder) statistics(s *Stats, f wireField) error {
	*s = Stats{}
	d.durations.clear()
	err := nested(f, func(f wireField) error {
		switch f.number {
		case 13:
			return nested(f, s.Slowest.field)
		case 14:
			return nested(f, s.LastError.field)
		case 15, 16, 17:
			return d.durations.field(f, f.number-14)
		case 20:
			return d.selfHistogram(s, f)
		}
		return s.field(f)
	})
	if err != nil {
		return err
	}
	s.Histogram, err = d.durations.histogram(&d.budget)
	return err
}

// selfHistogram reads the Histogram message of self times.
func (d *decoder) selfHistogram(s *Stats, f wireField) error {
	d.selfTimes.clear()
	err := nested(f, func(f wireField) error { return d.selfTimes.field(f, f.number) })
	if err != nil {
		return err
	}
	h, err := d.selfTimes.histogram(&d.budget)
	s.SelfHistogram = &h
	return err
}

// histogramReader gathers the fields of a histogram, which may come in any order.
type histogramReader struct {
	zero    uint64
	indexes []int32
	counts  []uint64
}

func (r *histogramReader) clear() { r.zero, r.indexes, r.counts = 0, r.indexes[:0], r.counts[:0] }

// field reads a field by its number in a Histogram message.
func (r *histogramReader) field(f wireField, number int) error {
	switch number {
	case 1:
		return f.uint(&r.zero, math.MaxUint64)
	case 2:
		return f.eachUint(r.bucketStep)
	case 3:
		return f.eachUint(r.bucketCount)
	}
	return nil
}

// histogram returns what was read.
func (r *histogramReader) histogram(b *budget) (Histogram, error) {
	h := Histogram{Zero: r.zero}
	if len(r.indexes) != len(r.counts) {
		return h, fmt.Errorf("histogram: %d buckets, but %d counts", len(r.indexes), len(r.counts))
	}
	if err := b.buckets(len(r.indexes)); err != nil || len(r.indexes) == 0 {
		return h, err
	}
	h.sparse = make([]Bucket, len(r.indexes))
	for i := range h.sparse {
		h.sparse[i] = Bucket{r.indexes[i], r.counts[i]}
	}
	return h, nil
}

func (r *histogramReader) bucketStep(step uint64) error {
	before := zeroBucket
	if n := len(r.indexes); n > 0 {
		before = int(r.indexes[n-1])
	}
	if step == 0 || step > uint64(maxBucket-before) {
		return fmt.Errorf("histogram: step of %d after bucket %d", step, before)
	}
	r.indexes = append(r.indexes, int32(before)+int32(step))
	return nil
}

func (r *histogramReader) bucketCount(n uint64) error {
	if len(r.counts) == maxBucket-zeroBucket {
		return errors.New("histogram: more counts than there can be buckets")
	}
	r.counts = append(r.counts, n)
	return nil
}

// field reads a number of a Stats message.
func (s *Stats) field(f wireField) error {
	numbers := [...]*uint64{
		1: &s.Count, 2: &s.Errors, 3: &s.Total, 4: &s.Self, 5: &s.Min, 6: &s.Max,
		7: &s.SumSquares.Hi, 8: &s.SumSquares.Lo, 9: &s.Bytes, 18: &s.Critical, 19: &s.Unsampled,
	}
	switch {
	case f.number < len(numbers) && numbers[f.number] != nil:
		return f.uint(numbers[f.number], math.MaxUint64)
	case f.number == 10:
		s.Active = int64(f.number64)
		return f.is(wireVarint)
	case f.number == 11:
		return f.fixed64(&s.First)
	case f.number == 12:
		return f.fixed64(&s.Last)
	}
	return nil
}

// field reads a field of an Exemplar message.
func (e *Exemplar) field(f wireField) error {
	switch f.number {
	case 1:
		return readID(e.Trace[:], f)
	case 2:
		return readID(e.Span[:], f)
	case 3:
		return f.uint(&e.Duration, math.MaxUint64)
	case 4:
		return f.fixed64(&e.Time)
	case 5:
		e.Sampled = f.number64 != 0
		return f.is(wireVarint)
	}
	return nil
}

func readID(id []byte, f wireField) error {
	b, err := f.bytes()
	if err == nil && len(b) != len(id) {
		err = fmt.Errorf("exemplar: an id of %d bytes, want %d", len(b), len(id))
	}
	copy(id, b)
	return err
}
