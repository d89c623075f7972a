package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxMessages is how deep messages may be nested in JSON: three for each level of a value, and those around it.
const maxMessages = 3*64 + 16

// TracesFromJSON translates a request from OTLP/JSON to protobuf. It builds no messages, so that it takes little more room
// than the longer of the two; the result has at most limit bytes.
//
// As OTLP says: names are in lowerCamelCase, ids in hexadecimal, enums are numbers, integers of 64 bits may be strings, and
// unknown names are passed over. Names as protobuf writes them, such as trace_id, are an error rather than unknown: else the
// data of a client that mistakes the format would vanish. Errors wrap ErrMalformed, or ErrTooLarge.
func TracesFromJSON(data []byte, limit int) ([]byte, error) { return fromJSON(data, tracesData, limit) }

// MetricsFromJSON is TracesFromJSON for an ExportMetricsServiceRequest.
func MetricsFromJSON(data []byte, limit int) ([]byte, error) {
	return fromJSON(data, metricsData, limit)
}

func fromJSON(data []byte, t *messageType, limit int) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		return nil, fmt.Errorf("%w: the JSON begins with a byte order mark", ErrMalformed)
	}
	// Invalid UTF-8 becomes replacement characters, as it does in protobuf; see Checker.
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	r := jsonReader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(data), options...), limit: limit}
	out, err := r.message(make([]byte, 0, min(len(data), limit)), t, 0)
	if err == nil {
		if _, err = r.ReadToken(); errors.Is(err, io.EOF) {
			// The JSON was longer: the room that it took is not worth keeping.
			return bytes.Clone(out), nil
		}
		err = errors.New("there is more after the JSON value")
	}
	if errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: JSON at byte %d, %s: %w", ErrMalformed, r.InputOffset(), r.place(), err)
}

type jsonReader struct {
	*jsontext.Decoder
	limit int
}

// place says where in the value the reader is, but not all of it where that is deep.
func (r *jsonReader) place() string {
	const most = 200
	place := string(r.StackPointer())
	if len(place) > most {
		place = "…" + place[len(place)-most:]
	}
	return strconv.Quote(place)
}

// message reads an object and appends the content of a message.
func (r *jsonReader) message(to []byte, t *messageType, depth int) ([]byte, error) {
	token, err := r.ReadToken()
	switch {
	case err != nil:
		return to, err
	case token.Kind() != '{':
		return to, fmt.Errorf("want the object of a %s, not %s", t.name, token.Kind())
	case depth > maxMessages:
		return to, errors.New("nested too deep")
	}
	for r.PeekKind() != '}' {
		field, err := r.name(t)
		switch {
		case err != nil:
			return to, err
		case field == nil || r.PeekKind() == 'n':
			err = r.SkipValue()
		case field.repeated:
			to, err = r.list(to, field, depth)
		default:
			to, err = r.field(to, field, depth)
		}
		if err != nil {
			return to, err
		}
		if len(to) > r.limit {
			return to, fmt.Errorf("%w: more than %d bytes in protobuf", ErrTooLarge, r.limit)
		}
	}
	_, err = r.ReadToken()
	return to, err
}

// name reads the name of a field; nil if it is not known.
func (r *jsonReader) name(t *messageType) (*fieldType, error) {
	raw, err := r.ReadValue()
	if err != nil {
		return nil, err
	}
	name := []byte(raw[1 : len(raw)-1])
	if bytes.IndexByte(name, '\\') >= 0 {
		if name, err = jsontext.AppendUnquote(nil, raw); err != nil {
			return nil, err
		}
	}
	field := t.names[string(name)]
	if old := t.old[string(name)]; field == nil && old != nil {
		return nil, fmt.Errorf("the name %q: OTLP/JSON has names in lowerCamelCase", old.name)
	}
	return field, nil
}

func (r *jsonReader) list(to []byte, field *fieldType, depth int) ([]byte, error) {
	if token, err := r.ReadToken(); err != nil || token.Kind() != '[' {
		return to, errors.Join(err, fmt.Errorf("want a list of %s, not %s", field.name, token.Kind()))
	}
	start := len(to)
	packed := field.wire == bytesType && wireOfKind(field.kind) != bytesType
	for r.PeekKind() != ']' {
		var err error
		if packed {
			to, err = r.packed(to, field)
		} else {
			to, err = r.field(to, field, depth)
		}
		if err != nil {
			return to, err
		}
		if len(to) > r.limit {
			return to, fmt.Errorf("%w: more than %d bytes in protobuf", ErrTooLarge, r.limit)
		}
	}
	if packed {
		to = closeMessage(to, start, field.number)
	}
	_, err := r.ReadToken()
	return to, err
}

// field reads a value and appends it with its tag.
func (r *jsonReader) field(to []byte, field *fieldType, depth int) ([]byte, error) {
	start := len(to)
	if field.kind == protoreflect.MessageKind {
		to, err := r.message(to, field.message, depth+1)
		return closeMessage(to, start, field.number), err
	}
	raw, err := r.ReadValue()
	if err != nil {
		return to, err
	}
	switch field.kind {
	case protoreflect.StringKind:
		if to, err = unquote(to, raw); err == nil {
			to = closeMessage(to, start, field.number)
		}
	case protoreflect.BytesKind:
		if to, err = decode(to, raw, field); err == nil {
			to = closeMessage(to, start, field.number)
		}
	default:
		to = binary.AppendUvarint(to, uint64(field.number<<3|field.wire))
		to, err = number(to, raw, field.kind)
	}
	if err != nil {
		return to, fmt.Errorf("%s: %w", field.name, err)
	}
	return to, nil
}

func (r *jsonReader) packed(to []byte, field *fieldType) ([]byte, error) {
	raw, err := r.ReadValue()
	if err != nil {
		return to, err
	}
	return number(to, raw, field.kind)
}

func unquote(to []byte, raw jsontext.Value) ([]byte, error) {
	if raw.Kind() != '"' {
		return to, fmt.Errorf("want a string, not %s", raw.Kind())
	}
	// The error says that something was not UTF-8: it has been replaced.
	to, _ = jsontext.AppendUnquote(to, raw)
	return to, nil
}

// decode reads bytes: an id in hexadecimal, and others in base64 of any flavour.
func decode(to []byte, raw jsontext.Value, field *fieldType) ([]byte, error) {
	start := len(to)
	to, err := unquote(to, raw)
	if err != nil {
		return to, err
	}
	// What is decoded is shorter than the text and overwrites it.
	var n int
	if text := to[start:]; field.hex {
		n, err = hex.Decode(text, text)
	} else {
		text = bytes.TrimRight(text, "=")
		encoding := base64.RawStdEncoding
		if bytes.ContainsAny(text, "-_") {
			encoding = base64.RawURLEncoding
		}
		n, err = encoding.Decode(text, text)
	}
	return to[:start+n], err
}

// number appends a number, a boolean or an enum without its tag.
func number(to []byte, raw jsontext.Value, kind protoreflect.Kind) ([]byte, error) {
	if kind == protoreflect.BoolKind {
		switch raw.Kind() {
		case 't':
			return append(to, 1), nil
		case 'f':
			return append(to, 0), nil
		}
		return to, fmt.Errorf("want true or false, not %s", raw.Kind())
	}
	text := string(raw)
	switch raw.Kind() {
	case '0':
	case '"':
		unquoted, err := jsontext.AppendUnquote(nil, raw)
		if text = string(unquoted); err != nil || kind == protoreflect.EnumKind {
			return to, fmt.Errorf("want a number, not the string %s", raw)
		}
	default:
		return to, fmt.Errorf("want a number, not %s", raw.Kind())
	}
	if kind == protoreflect.DoubleKind {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.ContainsAny(text, "xX_") {
			return to, fmt.Errorf("%q is not a number", text)
		}
		return binary.LittleEndian.AppendUint64(to, math.Float64bits(f)), nil
	}
	return integer(to, text, kind)
}

func integer(to []byte, text string, kind protoreflect.Kind) ([]byte, error) {
	n, err := parseInteger(text)
	if err != nil {
		return to, err
	}
	inRange := true
	switch kind {
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		inRange = !n.negative
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		inRange = n.fits(math.MaxInt64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		inRange = !n.negative && n.size <= math.MaxUint32
	default:
		inRange = n.fits(math.MaxInt32)
	}
	if !inRange {
		return to, fmt.Errorf("%s is out of range", text)
	}
	value := n.size
	if n.negative {
		value = -value
	}
	switch kind {
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return binary.LittleEndian.AppendUint64(to, value), nil
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return binary.LittleEndian.AppendUint32(to, uint32(value)), nil
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return binary.AppendUvarint(to, protowire.EncodeZigZag(int64(value))), nil
	}
	return binary.AppendUvarint(to, value), nil
}

// whole is an integer of either sign: as large as any of 64 bits with or without.
type whole struct {
	negative bool
	size     uint64
}

// fits reports whether the integer is in the range of a signed type with the maximum.
func (n whole) fits(most uint64) bool {
	return n.size <= most || n.negative && n.size == most+1
}

// parseInteger also reads 1.0 and 1e3, as JSON of protobuf has it.
func parseInteger(text string) (whole, error) {
	digits, negative := strings.CutPrefix(text, "-")
	if size, err := strconv.ParseUint(digits, 10, 64); err == nil {
		return whole{negative: negative && size > 0, size: size}, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f >= 1<<64 || strings.ContainsAny(digits, "xX_") {
		return whole{}, fmt.Errorf("%q is not an integer", text)
	}
	return whole{negative: negative && f > 0, size: uint64(f)}, nil
}
