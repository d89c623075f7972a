package otelprof

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/stichotrope/stichotrope-go/core"
)

// clockAccess reads the monotonic clock's reading out of a time.Time: [time.Time.Sub] and a conversion to a moment take
// longer than all else that is read of a span. As with the spans, the fields are found by name and type through
// reflection, and what they hold is compared with what the methods say. What does not carry such a reading, or one from
// far away, is left to the methods.
type clockAccess struct {
	wall, ext uintptr
	// carries is the bit of wall that says that ext is a reading; 0 if the fields are not as expected.
	carries uint64
}

// maxReading is the largest reading in ns that is used: 73 years, so that a moment and a duration cannot overflow.
const maxReading = 1 << 61

// learn finds the fields.
func (c *clockAccess) learn() {
	t := reflect.TypeFor[time.Time]()
	if field[uint64](t, "wall", &c.wall) && field[int64](t, "ext", &c.ext) {
		c.carries = 1 << 63
		if !c.agrees(time.Now()) {
			c.carries = 0
		}
	}
}

// agrees compares the fields with the methods, given the present.
func (c *clockAccess) agrees(now time.Time) bool {
	for _, d := range []time.Duration{0, 1, time.Second, -time.Hour, 30 * 365 * 24 * time.Hour} {
		later := now.Add(d)
		begin, finish, ok := c.readings(unsafe.Pointer(&now), unsafe.Pointer(&later))
		if !ok || finish-begin != int64(later.Sub(now)) {
			return false
		}
	}
	for _, t := range []time.Time{{}, now.Round(0), now.UTC().Round(0), time.Unix(1, 2)} {
		if _, _, ok := c.readings(unsafe.Pointer(&now), unsafe.Pointer(&t)); ok {
			return false
		}
	}
	return true
}

// readings returns the readings of two times if both carry a usable one.
func (c *clockAccess) readings(a, b unsafe.Pointer) (from, to int64, ok bool) {
	wall := *(*uint64)(unsafe.Add(a, c.wall)) & *(*uint64)(unsafe.Add(b, c.wall))
	from, to = *(*int64)(unsafe.Add(a, c.ext)), *(*int64)(unsafe.Add(b, c.ext))
	far := uint64(from+maxReading) | uint64(to+maxReading)
	return from, to, wall&c.carries != 0 && far < 2*maxReading
}

// zero returns the moment at which the clock read 0.
func (c *clockAccess) zero(agg *core.Aggregator) int64 {
	now := time.Now()
	reading, _, _ := c.readings(unsafe.Pointer(&now), unsafe.Pointer(&now))
	return agg.Moment(now) - reading
}
