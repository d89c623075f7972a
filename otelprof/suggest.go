package otelprof

import (
	"fmt"
	"strings"
)

// unknown is the error of a name that is none of the known ones. It suggests the nearest of them, or lists all if
// none is near.
func unknown(what, name string, known []string) error {
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("unknown %s %s, did you mean %s?", what, quote(name), near)
	}
	return fmt.Errorf("unknown %s %s, want one of %s", what, quote(name), strings.Join(known, ", "))
}

// nearest returns the known name with the fewest edits to name, "" if even that one has more than a third of its
// letters wrong. Upper and lower case are the same.
func nearest(name string, known []string) string {
	best, fewest := "", 0
	for _, k := range known {
		if len(name) > 2*len(k) {
			continue // too far for certain; also bounds the work on a huge name
		}
		d := edits(strings.ToLower(name), strings.ToLower(k))
		if 3*d <= len(k) && (best == "" || d < fewest) {
			best, fewest = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b: how many bytes must be put in, taken out or changed.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // row[j] is the distance of the part of a seen so far and b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
