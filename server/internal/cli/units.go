package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/query"
)

// byteUnits are the units of sizes, longest names first.
var byteUnits = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1}, {"", 1},
}

// parseBytes reads a size such as 50GiB, 1.5 GB or 4096.
func parseBytes(text string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(lower, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err == nil && v >= 0 && v*u.bytes < math.MaxInt64 {
			return int64(v * u.bytes), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is not a size: write 512MiB, 50GiB or a number of bytes", text)
}

// parseAge reads how old something gets: a duration, also in days.
func parseAge(text string) (time.Duration, error) {
	if strings.TrimSpace(text) == "0" {
		return 0, nil
	}
	return query.ParseDuration(text)
}
