package otlp

import (
	"strings"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// messageType is what is known about a message: taken from OTLP's own descriptors, so that no table is kept by hand.
type messageType struct {
	name string
	// fields are by number; those that are not known are nil.
	fields []*fieldType
	// names are the fields by their names in JSON, old ones those by their names in protobuf, where these differ.
	names, old map[string]*fieldType
}

// fieldType is a field of a message.
type fieldType struct {
	name     string
	number   uint32
	wire     uint32
	kind     protoreflect.Kind
	repeated bool
	// message is the type of a field that is a message.
	message *messageType
	// rule says what a Checker demands of the field.
	rule rule
	// dropped is the number of the field that counts what was left out of this one; 0 if there is none.
	dropped uint32
	// hex says that the bytes are an id, which JSON has in hexadecimal.
	hex bool
}

// rule is what a Checker demands of a field.
type rule uint8

const (
	noRule     rule = iota
	isName          // text of at most Limits.NameBytes
	isText          // text of at most Limits.ValueBytes
	isBytes         // at most Limits.ValueBytes
	isNested        // an array or a list: at most Limits.ValueBytes and Limits.Depth
	isMessage       // a message
	attributes      // at most Limits.Attributes of them
	events          // at most Limits.Events of them
	links           // at most Limits.Links of them
	rules           // how many there are
)

var (
	tracesData  = newType((*traces.TracesData)(nil).ProtoReflect().Descriptor())
	metricsData = newType((*metrics.MetricsData)(nil).ProtoReflect().Descriptor())
	spanType    = tracesData.at("resource_spans").at("scope_spans").at("spans")
)

// at returns the type of a message in the message.
func (t *messageType) at(name string) *messageType { return t.old[name].message }

// field returns the field with the number; nil if it is not known.
func (t *messageType) field(number uint32) *fieldType {
	if number < uint32(len(t.fields)) {
		return t.fields[number]
	}
	return nil
}

// wrongType returns an error if the field is known, but not with this wire type.
func (t *messageType) wrongType(tag uint32) error {
	if f := t.field(tag >> 3); f != nil && f.wire != tag&7 {
		return wrongType(t.name+"."+f.name, tag)
	}
	return nil
}

func newType(d protoreflect.MessageDescriptor) *messageType {
	return typeOf(d, map[protoreflect.FullName]*messageType{})
}

func typeOf(d protoreflect.MessageDescriptor, known map[protoreflect.FullName]*messageType) *messageType {
	if t := known[d.FullName()]; t != nil {
		return t
	}
	t := &messageType{name: string(d.Name()), names: map[string]*fieldType{}, old: map[string]*fieldType{}}
	known[d.FullName()] = t
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := &fieldType{
			name: string(fd.Name()), number: uint32(fd.Number()), kind: fd.Kind(), repeated: fd.IsList(),
			wire: wireOf(fd), rule: ruleOf(fd), hex: strings.HasSuffix(string(fd.Name()), "_id") && fd.Kind() == protoreflect.BytesKind,
		}
		if fd.Message() != nil {
			f.message = typeOf(fd.Message(), known)
		}
		if dropped := d.Fields().ByName("dropped_" + fd.Name() + "_count"); dropped != nil {
			f.dropped = uint32(dropped.Number())
		}
		for uint32(len(t.fields)) <= f.number {
			t.fields = append(t.fields, nil)
		}
		t.fields[f.number] = f
		t.names[fd.JSONName()] = f
		t.old[f.name] = f
	}
	return t
}

func wireOf(fd protoreflect.FieldDescriptor) uint32 {
	if fd.IsPacked() {
		return bytesType
	}
	return wireOfKind(fd.Kind())
}

func wireOfKind(kind protoreflect.Kind) uint32 {
	switch kind {
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return fixed64Type
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return fixed32Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return bytesType
	}
	return varintType
}

func ruleOf(fd protoreflect.FieldDescriptor) rule {
	switch name := string(fd.Name()); {
	case name == "attributes":
		return attributes
	case name == "events":
		return events
	case name == "links":
		return links
	case name == "array_value" || name == "kvlist_value":
		return isNested
	case name == "bytes_value":
		return isBytes
	case fd.Kind() == protoreflect.MessageKind:
		return isMessage
	case name == "name" || name == "key" || name == "version":
		return isName
	case fd.Kind() == protoreflect.StringKind:
		return isText
	}
	return noRule
}
