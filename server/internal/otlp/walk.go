package otlp

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stichotrope/stichotrope-go/core"
)

// Walker walks requests. It keeps memory between them; the zero value is ready. One goroutine at a time may use it.
type Walker struct {
	origin          Origin
	span            Span
	resource, scope []byte
}

// Walk calls visit for every span of an ExportTraceServiceRequest, or of TracesData, which is the same on the wire. The
// span is overwritten by the next. An error says what is malformed; then the spans visited before it do not count.
func (w *Walker) Walk(request []byte, visit func(*Span) error) error {
	w.origin = Origin{Number: -1}
	return fields(request, func(number protowire.Number, typ protowire.Type, value, _ []byte) error {
		if number != 1 {
			return nil
		}
		if typ != protowire.BytesType {
			return fmt.Errorf("resource_spans has wire type %d", typ)
		}
		return w.resourceSpans(value, visit)
	})
}

func (w *Walker) resourceSpans(message []byte, visit func(*Span) error) error {
	// The resource may stand behind the spans.
	w.resource = w.resource[:0]
	w.origin.Service = nil
	err := fields(message, func(number protowire.Number, typ protowire.Type, value, field []byte) error {
		if number == 2 {
			if typ != protowire.BytesType {
				return fmt.Errorf("scope_spans has wire type %d", typ)
			}
			return nil
		}
		w.resource = append(w.resource, field...)
		if number == 1 && typ == protowire.BytesType {
			return w.serviceName(value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fields(message, func(number protowire.Number, _ protowire.Type, value, _ []byte) error {
		if number != 2 {
			return nil
		}
		return w.scopeSpans(value, visit)
	})
}

func (w *Walker) serviceName(resource []byte) error {
	return fields(resource, func(number protowire.Number, typ protowire.Type, value, _ []byte) error {
		if number != 1 || typ != protowire.BytesType {
			return nil
		}
		key, val, err := keyValue(value)
		if err == nil && string(key) == "service.name" {
			w.origin.Service, _, err = anyValue(val)
		}
		return err
	})
}

func (w *Walker) scopeSpans(message []byte, visit func(*Span) error) error {
	w.scope = w.scope[:0]
	o := &w.origin
	o.ScopeName, o.ScopeVersion = nil, nil
	err := fields(message, func(number protowire.Number, typ protowire.Type, value, field []byte) error {
		if number == 2 {
			if typ != protowire.BytesType {
				return fmt.Errorf("spans has wire type %d", typ)
			}
			return nil
		}
		w.scope = append(w.scope, field...)
		if number != 1 || typ != protowire.BytesType {
			return nil
		}
		return fields(value, func(number protowire.Number, typ protowire.Type, value, _ []byte) error {
			switch {
			case typ != protowire.BytesType:
			case number == 1:
				o.ScopeName = value
			case number == 2:
				o.ScopeVersion = value
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	o.Number++
	o.Resource, o.Scope = w.resource, w.scope
	return fields(message, func(number protowire.Number, _ protowire.Type, value, _ []byte) error {
		if number != 2 {
			return nil
		}
		if err := w.span.Read(value); err != nil {
			return err
		}
		w.span.Origin = o
		return visit(&w.span)
	})
}

// Read reads a Span message, such as was the Raw of another Span. It sets all fields but Origin.
func (s *Span) Read(message []byte) error {
	*s = Span{Raw: message}
	var old struct { // the deprecated attributes
		namespace, function, file []byte
		line                      int
	}
	err := fields(message, func(number protowire.Number, typ protowire.Type, value, _ []byte) error {
		switch {
		case number == 1 && typ == protowire.BytesType:
			s.id(s.Trace[:], value, "trace_id")
		case number == 2 && typ == protowire.BytesType:
			s.id(s.Span[:], value, "span_id")
		case number == 3 && typ == protowire.BytesType:
			s.TraceState = value
		case number == 4 && typ == protowire.BytesType:
			if len(value) > 0 {
				s.id(s.Parent[:], value, "parent_span_id")
			}
		case number == 5 && typ == protowire.BytesType:
			s.Name = value
		case number == 6 && typ == protowire.VarintType:
			n, _ := protowire.ConsumeVarint(value)
			if n <= uint64(core.KindConsumer) {
				s.Kind = core.Kind(n)
			}
		case number == 7 && typ == protowire.Fixed64Type:
			s.Start, _ = protowire.ConsumeFixed64(value)
		case number == 8 && typ == protowire.Fixed64Type:
			s.End, _ = protowire.ConsumeFixed64(value)
		case number == 16 && typ == protowire.Fixed32Type:
			s.Flags, _ = protowire.ConsumeFixed32(value)
		case number == 15 && typ == protowire.BytesType:
			return fields(value, func(number protowire.Number, typ protowire.Type, value, _ []byte) error {
				if number == 3 && typ == protowire.VarintType {
					n, _ := protowire.ConsumeVarint(value)
					s.Failed = n == 2
				}
				return nil
			})
		case number == 9 && typ == protowire.BytesType:
			key, val, err := keyValue(value)
			if err != nil || len(key) < 6 || string(key[:5]) != "code." {
				return err
			}
			text, n, err := anyValue(val)
			switch string(key) {
			case "code.function.name":
				s.Function = text
			case "code.file.path":
				s.File = text
			case "code.line.number":
				s.Line = int(n)
			case "code.function":
				old.function = text
			case "code.namespace":
				old.namespace = text
			case "code.filepath":
				old.file = text
			case "code.lineno":
				old.line = int(n)
			}
			return err
		}
		return nil
	})
	if len(s.Function) == 0 && len(old.function) > 0 {
		s.Function = old.function
		if len(old.namespace) > 0 {
			s.Function = bytes.Join([][]byte{old.namespace, old.function}, []byte("."))
		}
	}
	if len(s.File) == 0 {
		s.File = old.file
	}
	if s.Line == 0 {
		s.Line = old.line
	}
	return err
}

func (s *Span) id(to, from []byte, name string) {
	if len(from) != len(to) {
		s.Bad = name + " has the wrong length"
		return
	}
	copy(to, from)
}

// keyValue returns the key and the AnyValue message of a KeyValue message.
func keyValue(message []byte) (key, value []byte, err error) {
	err = fields(message, func(number protowire.Number, typ protowire.Type, v, _ []byte) error {
		switch {
		case typ != protowire.BytesType:
		case number == 1:
			key = v
		case number == 2:
			value = v
		}
		return nil
	})
	return key, value, err
}

// anyValue returns the text or the integer of an AnyValue message.
func anyValue(message []byte) (text []byte, n int64, err error) {
	err = fields(message, func(number protowire.Number, typ protowire.Type, v, _ []byte) error {
		switch {
		case number == 1 && typ == protowire.BytesType:
			text = v
		case number == 3 && typ == protowire.VarintType:
			u, _ := protowire.ConsumeVarint(v)
			n = int64(u)
		}
		return nil
	})
	return text, n, err
}

// fields calls f for every field of a message: value is without tag and length, field with them.
func fields(message []byte, f func(number protowire.Number, typ protowire.Type, value, field []byte) error) error {
	for len(message) > 0 {
		number, typ, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return fmt.Errorf("malformed protobuf: %w", protowire.ParseError(tag))
		}
		n := protowire.ConsumeFieldValue(number, typ, message[tag:])
		if n < 0 {
			return fmt.Errorf("malformed protobuf: field %d: %w", number, protowire.ParseError(n))
		}
		value := message[tag : tag+n]
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := f(number, typ, value, message[:tag+n]); err != nil {
			return err
		}
		message = message[tag+n:]
	}
	return nil
}
