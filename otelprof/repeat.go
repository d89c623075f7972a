package otelprof

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// RepeatOptions say how [Profiler.Repeat] measures. The zero value searches for the best time.
type RepeatOptions struct {
	// Count is the number of runs. 0 searches for the best time instead: the runs go on until none has been faster
	// than the fastest for Patience, but end after a million.
	Count int
	// Patience ends a search, 0 means one second. It has no meaning with a Count.
	Patience time.Duration
	// Warmup is the number of runs before the first that is measured. They are not in the profile.
	Warmup int
	// Setup, if not nil, is called before every run, also those that warm up. It is not measured. Its error ends the
	// repetition.
	Setup func(context.Context) error
	// Bytes is what one run processes, for the bandwidth; 0 if there is no such number.
	Bytes int64
}

const (
	// maxSearch bounds the runs of a search, and so the memory for their durations to 8 MiB.
	maxSearch       = 1 << 20
	defaultPatience = time.Second
)

func (o *RepeatOptions) validate() error {
	var errs []error
	check := func(name string, negative bool, value any) {
		if negative {
			errs = append(errs, fmt.Errorf("%s is %v, want 0 or more", name, value))
		}
	}
	check("Count", o.Count < 0, o.Count)
	check("Patience", o.Patience < 0, o.Patience)
	check("Warmup", o.Warmup < 0, o.Warmup)
	check("Bytes", o.Bytes < 0, o.Bytes)
	return errors.Join(errs...)
}

// Repeat calls f again and again on the calling goroutine and returns the statistics of its durations:
//
//	before, err := p.Repeat(ctx, "parser", "decode", otelprof.RepeatOptions{Count: 100, Bytes: size}, decode)
//
// Each run is a block of the profile too, as by [Profiler.TimeErr], and f gets its context. Without a profiler, or with
// one that is switched off, f is measured all the same. A run takes two readings of the clock, some 0.1 µs: what is
// faster than some microseconds should loop inside of f.
//
// The repetition ends early when ctx is done, and when f or Setup returns an error, which is returned, wrapped, with the
// statistics of the runs before it. A panic of f passes through.
func (p *Profiler) Repeat(ctx context.Context, track, name string, o RepeatOptions, f func(context.Context) error) (RepeatResult, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	if err := o.validate(); err != nil {
		return RepeatResult{Track: track, Name: name}, fmt.Errorf("repeating %s: %w", quote(name), err)
	}
	r := repetition{options: o, ctx: ctx, measure: func() (time.Duration, error) {
		return p.measure(ctx, track, name, o.Bytes, f)
	}}
	err := r.warmUp(f)
	if err == nil {
		err = r.run()
	}
	result := newRepeatResult(track, name, o.Bytes, r.durations)
	if err != nil {
		err = fmt.Errorf("repeating %s, after %d runs: %w", quote(name), result.N, err)
	}
	return result, err
}

// measure runs f once as a block.
func (p *Profiler) measure(ctx context.Context, track, name string, bytes int64, f func(context.Context) error) (time.Duration, error) {
	b := p.Block(ctx, track, name)
	failed := true
	defer func() { b.end(failed) }()
	b.AddBytes(bytes)
	inner := b.Context()
	began := time.Now()
	err := f(inner)
	took := time.Since(began)
	failed = err != nil
	return took, err
}

// repetition is the state of one call of Repeat.
type repetition struct {
	options   RepeatOptions
	ctx       context.Context
	measure   func() (time.Duration, error)
	durations []time.Duration
}

// prepare does what comes before a run.
func (r *repetition) prepare() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.options.Setup == nil {
		return nil
	}
	if err := r.options.Setup(r.ctx); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	return nil
}

func (r *repetition) warmUp(f func(context.Context) error) error {
	for range r.options.Warmup {
		if err := r.prepare(); err != nil {
			return err
		}
		if err := f(r.ctx); err != nil {
			return fmt.Errorf("warm-up: %w", err)
		}
	}
	return nil
}

func (r *repetition) run() error {
	var best time.Duration
	var bestAt time.Time
	patience := r.options.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	for n := 0; ; n++ {
		switch {
		case r.options.Count > 0 && n >= r.options.Count:
			return nil
		case r.options.Count == 0 && n > 0 && (n >= maxSearch || time.Since(bestAt) >= patience):
			return nil
		}
		if err := r.prepare(); err != nil {
			return err
		}
		took, err := r.measure()
		if err != nil {
			return err
		}
		r.durations = append(r.durations, took)
		if n == 0 || took < best {
			best, bestAt = took, time.Now()
		}
	}
}
