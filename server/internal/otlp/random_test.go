package otlp

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fill sets random fields of a message, and appends unknown ones if it is told to.
func fill(r *rand.Rand, m protoreflect.Message, depth int, unknown bool) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case r.IntN(3) == 0:
		case fd.IsList() && fd.Message() != nil:
			for n := r.IntN(4); n > 0 && depth > 0; n-- {
				fill(r, m.Mutable(fd).List().AppendMutable().Message(), depth-1, unknown)
			}
		case fd.IsList():
			for n := r.IntN(4); n > 0; n-- {
				m.Mutable(fd).List().Append(scalar(r, fd))
			}
		case fd.Message() == nil:
			m.Set(fd, scalar(r, fd))
		case depth > 0:
			fill(r, m.Mutable(fd).Message(), depth-1, unknown)
		}
	}
	if unknown && r.IntN(3) == 0 {
		// Fields 1000 to 1003: a number, a text, a group, and one of 32 bits.
		for _, field := range [][]byte{{0xc0, 0x3e, 0x07}, {0xca, 0x3e, 0x02, 'h', 'i'}, {0xd3, 0x3e, 0x08, 0x01, 0xd4, 0x3e}, {0xdd, 0x3e, 1, 2, 3, 4}} {
			if r.IntN(2) == 0 {
				m.SetUnknown(append(m.GetUnknown(), field...))
			}
		}
	}
}

func scalar(r *rand.Rand, fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(r.IntN(8)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(r.Uint32()))
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(r.Uint64()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(r.Uint32())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(r.Uint64() >> r.IntN(64))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 0.1, -2.5e300, 1e6, math.Inf(1), math.Inf(-1), r.NormFloat64()}[r.IntN(7)])
	case protoreflect.BytesKind:
		b := make([]byte, map[protoreflect.Name]int{"trace_id": 16, "span_id": 8, "parent_span_id": 8}[fd.Name()])
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.StringKind:
		words := []string{"", "x", "service.name", "code.function.name", "code.function", "code.namespace", "code.line.number", "code.lineno", "GET /orders", "größer \"π\"\n"}
		return protoreflect.ValueOfString(words[r.IntN(len(words))])
	}
	panic("no random value for the kind " + fd.Kind().String())
}

// random returns a random message of a type.
func random[M proto.Message](r *rand.Rand, unknown bool) M {
	var m M
	fresh := m.ProtoReflect().New()
	fill(r, fresh, 10, unknown)
	return fresh.Interface().(M)
}

// shuffle permutes the fields of a message and of all messages in it. Fields with the same number keep their order, and so
// do those of an AnyValue, of which the last one holds.
func shuffle(r *rand.Rand, message []byte, t *messageType) []byte {
	var raws [][]byte
	var numbers []uint32
	for f := (fields{message: message}); f.next(); {
		raw := f.raw()
		if field := t.field(f.tag >> 3); field != nil && field.message != nil {
			raw = appendBytes(nil, field.number, shuffle(r, f.value, field.message))
		}
		raws, numbers = append(raws, raw), append(numbers, f.tag>>3)
	}
	for range len(raws) * 2 {
		if len(raws) < 2 {
			break
		}
		if i := r.IntN(len(raws) - 1); numbers[i] != numbers[i+1] && t.name != "AnyValue" {
			raws[i], raws[i+1] = raws[i+1], raws[i]
			numbers[i], numbers[i+1] = numbers[i+1], numbers[i]
		}
	}
	var out []byte
	for _, raw := range raws {
		out = append(out, raw...)
	}
	return out
}
