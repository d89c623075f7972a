package pebblestore

import (
	"encoding/binary"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// The tags of the fields of a Span message that the codec knows.
const (
	tagTrace      = 1<<3 | 2
	tagSpan       = 2<<3 | 2
	tagParent     = 4<<3 | 2
	tagName       = 5<<3 | 2
	tagKind       = 6 << 3
	tagStart      = 7<<3 | 1
	tagEnd        = 8<<3 | 1
	tagAttribute  = 9<<3 | 2
	tagEvent      = 11<<3 | 2
	tagLink       = 13<<3 | 2
	tagStatus     = 15<<3 | 2
	tagFlags      = 16<<3 | 5
	statusFailed  = "\x7a\x02\x18\x02"
	statusNothing = "\x7a\x00"
)

// rawField is where a field of a Span message stands in its bytes.
type rawField struct {
	tag        uint32
	start, end uint32
}

// rawSpan is a Span message cut into its fields.
type rawSpan struct {
	bytes  []byte
	origin int
	// fields are the span's; whole tells that they are all of it, not only what precedes rest.
	fields []rawField
	rest   int
	// What the index needs to know.
	name       []byte
	kind       core.Kind
	start, end uint64
	failed     bool
	// nameNumber is the number that the chunk's dictionary gave the name, -1 if none.
	nameNumber int
}

// scan cuts a message into fields, which it appends to fields. An error says that it is not a Span message.
func (s *rawSpan) scan(raw []byte, fields []rawField) ([]rawField, error) {
	*s = rawSpan{bytes: raw, origin: s.origin, nameNumber: -1}
	first, plain, i := len(fields), true, 0
	for i < len(raw) {
		tag, value, end := cutField(raw, i)
		if end < 0 {
			break
		}
		fields = append(fields, rawField{tag, uint32(i), uint32(end)})
		switch tag {
		case tagName:
			s.name = raw[value:end]
		case tagKind:
			plain = plain && raw[value] <= byte(core.KindConsumer)
			s.kind = core.Kind(raw[value])
		case tagStart:
			s.start = binary.LittleEndian.Uint64(raw[value:])
		case tagEnd:
			s.end = binary.LittleEndian.Uint64(raw[value:])
		case tagStatus:
			s.failed = string(raw[i:end]) == statusFailed
			plain = plain && (s.failed || string(raw[i:end]) == statusNothing)
		}
		i = end
	}
	s.fields, s.rest = fields[first:], i
	if !plain || i < len(raw) {
		return fields, s.readSlowly()
	}
	return fields, nil
}

// readSlowly reads what the index needs with the parser that knows everything.
func (s *rawSpan) readSlowly() error {
	var read otlp.Span
	if err := read.Read(s.bytes); err != nil {
		return err
	}
	s.name, s.kind, s.start, s.end, s.failed = read.Name, read.Kind, read.Start, read.End, read.Failed
	return nil
}

// cutField returns the tag of the field at i, where its value begins, and where it ends. The end is negative for what is
// malformed and for what is possible but not usual: groups, and varints that take more bytes than needed or more than two.
func cutField(b []byte, i int) (tag uint32, value, end int) {
	tag, value = uint32(b[i]), i+1
	if tag >= 0x80 {
		if value >= len(b) || b[value] >= 0x80 || b[value] == 0 {
			return 0, 0, -1
		}
		tag, value = tag&0x7f|uint32(b[value])<<7, value+1
	}
	if tag>>3 == 0 {
		return 0, 0, -1
	}
	switch tag & 7 {
	case 0:
		for end = value; ; end++ {
			if end >= len(b) || end-value > 9 {
				return 0, 0, -1
			}
			if b[end] < 0x80 {
				end++
				break
			}
		}
	case 1:
		end = value + 8
	case 2:
		n, w := binary.Uvarint(b[value:])
		if w <= 0 || n > uint64(len(b)) {
			return 0, 0, -1
		}
		value += w
		end = value + int(n)
	case 5:
		end = value + 4
	default:
		return 0, 0, -1
	}
	if end > len(b) {
		return 0, 0, -1
	}
	return tag, value, end
}

// moments returns when the span started and when its last moment was, in ns since the Unix epoch.
func (s *rawSpan) moments() (start, end int64) {
	start = store.Moment(s.start)
	return start, max(start, store.Moment(s.end))
}

// duration is as in the store's queries: in ns, and never negative.
func (s *rawSpan) duration() int64 {
	if s.end <= s.start {
		return 0
	}
	return store.Moment(s.end - s.start)
}
