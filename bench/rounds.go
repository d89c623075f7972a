package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// bench is how thoroughly to measure, and where to say how far it is.
type bench struct {
	rounds   int
	quick    bool
	progress io.Writer
	chapter  string
}

// size returns how much of n to do in one turn.
func (b *bench) size(n int) int {
	if b.quick {
		return max(n/100, 20)
	}
	return n
}

// say shows progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, b.chapter+": "+format+"\n", args...)
}

// contender is one of the things that are compared.
type contender struct {
	name string
	// turn does the work of one turn.
	turn func()
}

// results are the costs of every contender's turns, in the order of the rounds.
type results map[string][]cost

// minRounds is how many rounds are measured even when the time is up: fewer have no median worth the name.
const minRounds = 5

// compare lets the contenders take turns, in another random order in every round, so that whatever else changes the
// speed of the machine meets all alike. It stops early when the budget is used up. The first round warms up.
func (b *bench) compare(contenders []contender, rounds int, budget time.Duration) results {
	if b.quick {
		rounds, budget = 2, 0
	}
	order := rand.New(rand.NewPCG(2, 26))
	out := results{}
	start, said := time.Now(), time.Now()
	for round := range rounds + 1 {
		if round > minRounds && time.Since(start) > budget {
			b.say("time is up after %d of %d rounds", round-1, rounds)
			break
		}
		for _, i := range order.Perm(len(contenders)) {
			c := measure(contenders[i].turn)
			if round > 0 {
				out[contenders[i].name] = append(out[contenders[i].name], c)
			}
		}
		if time.Since(said) > 2*time.Second {
			said = time.Now()
			b.say("round %d of %d", round, rounds)
		}
	}
	return out
}

// cpu returns the CPU time of each of a contender's turns in ns.
func (r results) cpu(name string) sample {
	return r.sample(name, func(c cost) float64 { return float64(c.cpu) })
}

// wall returns the time that each of a contender's turns took in ns.
func (r results) wall(name string) sample {
	return r.sample(name, func(c cost) float64 { return float64(c.wall) })
}

// objects returns how many allocations each of a contender's turns made.
func (r results) objects(name string) sample {
	return r.sample(name, func(c cost) float64 { return float64(c.objects) })
}

// bytes returns how many bytes each of a contender's turns allocated.
func (r results) bytes(name string) sample {
	return r.sample(name, func(c cost) float64 { return float64(c.bytes) })
}

func (r results) sample(name string, figure func(cost) float64) sample {
	out := make(sample, len(r[name]))
	for i, c := range r[name] {
		out[i] = figure(c)
	}
	return out
}
