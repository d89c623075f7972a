package main

import (
	"fmt"
	"math"
	"strconv"
)

// whole returns a number without decimals.
func whole(v float64) string {
	return strconv.FormatFloat(math.Round(v)+0, 'f', 0, 64) // + 0 turns -0 into 0
}

// decimals returns a number with n decimals.
func decimals(v float64, n int) string {
	scale := math.Pow10(n)
	return strconv.FormatFloat(math.Round(v*scale)/scale+0, 'f', n, 64)
}

// spread returns the median of a sample and its median absolute deviation.
func spread(s sample) string { return whole(s.median()) + " ± " + whole(s.mad()) }

// duration returns ns with a unit and three digits.
func duration(ns float64) string {
	switch a := math.Abs(ns); {
	case a < 999.5:
		return digits(ns) + " ns"
	case a < 999.5e3:
		return digits(ns/1e3) + " µs"
	case a < 999.5e6:
		return digits(ns/1e6) + " ms"
	}
	return digits(ns/1e9) + " s"
}

// bytes returns a number of bytes with a binary unit.
func bytes(n float64) string {
	switch a := math.Abs(n); {
	case a < 1<<10:
		return whole(n) + " B"
	case a < 1<<20:
		return digits(n/(1<<10)) + " KiB"
	}
	return digits(n/(1<<20)) + " MiB"
}

// digits returns a number below 1024 with three digits.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a < 9.995:
		return decimals(v, 2)
	case a < 99.95:
		return decimals(v, 1)
	}
	return whole(v)
}

// percent returns a share of 1.
func percent(share float64) string { return fmt.Sprintf("%s %%", decimals(100*share, 1)) }

// atMost is a target for a figure, with the function that formats it.
func atMost(what string, limit, measured float64, format func(float64) string) target {
	return target{what: what, limit: "≤ " + format(limit), measured: format(measured), met: measured <= limit}
}
