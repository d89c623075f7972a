package core

import (
	"errors"
	"fmt"
	"math"
)

// statistics reads a Stats message.
func (d *decoder) statistics(s *Stats, f wireField) error {
	*s = Stats{}
	d.indexes, d.counts = d.indexes[:0], d.counts[:0]
	err := nested(f, func(f wireField) error {
		switch f.number {
		case 13:
			return nested(f, s.Slowest.field)
		case 14:
			return nested(f, s.LastError.field)
		case 15:
			return f.uint(&s.Histogram.Zero, math.MaxUint64)
		case 16:
			return f.eachUint(d.bucketStep)
		case 17:
			return f.eachUint(d.bucketCount)
		}
		return s.field(f)
	})
	if err == nil && len(d.indexes) != len(d.counts) {
		err = fmt.Errorf("histogram: %d buckets, but %d counts", len(d.indexes), len(d.counts))
	}
	if err == nil {
		err = d.buckets(len(d.indexes))
	}
	if err != nil || len(d.indexes) == 0 {
		return err
	}
	buckets := make([]Bucket, len(d.indexes))
	for i := range buckets {
		buckets[i] = Bucket{d.indexes[i], d.counts[i]}
	}
	s.Histogram.sparse = buckets
	return nil
}

func (d *decoder) bucketStep(step uint64) error {
	before := zeroBucket
	if n := len(d.indexes); n > 0 {
		before = int(d.indexes[n-1])
	}
	if step == 0 || step > uint64(maxBucket-before) {
		return fmt.Errorf("histogram: step of %d after bucket %d", step, before)
	}
	d.indexes = append(d.indexes, int32(before)+int32(step))
	return nil
}

func (d *decoder) bucketCount(n uint64) error {
	if len(d.counts) == maxBucket-zeroBucket {
		return errors.New("histogram: more counts than there can be buckets")
	}
	d.counts = append(d.counts, n)
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
