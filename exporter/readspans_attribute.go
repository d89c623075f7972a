package exporter

import (
	"fmt"
	"math"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// readInt returns the integer in an attribute.
func readInt(kv *commonpb.KeyValue) (int64, error) {
	v, ok := kv.GetValue().GetValue().(*commonpb.AnyValue_IntValue)
	if !ok {
		return 0, fmt.Errorf("attribute %.100q is not an integer", kv.GetKey())
	}
	return v.IntValue, nil
}

// readText returns the text in an attribute.
func readText(kv *commonpb.KeyValue) (string, error) {
	v, ok := kv.GetValue().GetValue().(*commonpb.AnyValue_StringValue)
	if !ok {
		return "", fmt.Errorf("attribute %.100q is not a string", kv.GetKey())
	}
	if len(v.StringValue) > maxReadText {
		return "", fmt.Errorf("attribute %.100q has %d bytes, want at most %d", kv.GetKey(), len(v.StringValue), maxReadText)
	}
	return v.StringValue, nil
}

// readBytes returns the bytes in an attribute.
func readBytes(kv *commonpb.KeyValue) ([]byte, error) {
	v, ok := kv.GetValue().GetValue().(*commonpb.AnyValue_BytesValue)
	if !ok {
		return nil, fmt.Errorf("attribute %.100q is not of bytes", kv.GetKey())
	}
	return v.BytesValue, nil
}

// readList returns the elements of an attribute that is a list.
func readList[T any](kv *commonpb.KeyValue, read func(*commonpb.KeyValue) (T, error)) ([]T, error) {
	v, ok := kv.GetValue().GetValue().(*commonpb.AnyValue_ArrayValue)
	if !ok {
		return nil, fmt.Errorf("attribute %.100q is not a list", kv.GetKey())
	}
	list := make([]T, len(v.ArrayValue.GetValues()))
	for i, element := range v.ArrayValue.GetValues() {
		x, err := read(&commonpb.KeyValue{Key: kv.GetKey(), Value: element})
		if err != nil {
			return nil, err
		}
		list[i] = x
	}
	return list, nil
}

// windowReader reads the attributes of the window's span.
type windowReader struct {
	out                   *core.Snapshot
	version, scale, spans int64
}

func (w *windowReader) attribute(kv *commonpb.KeyValue) (err error) {
	switch kv.GetKey() {
	case attrVersion:
		w.version, err = readInt(kv)
	case attrScale:
		w.scale, err = readInt(kv)
	case attrSpans:
		w.spans, err = readInt(kv)
	case attrProfiles:
		w.out.Names, err = readList(kv, readText)
	case attrDisabledTracks:
		w.out.DisabledTracks, err = readList(kv, readText)
	case attrStart:
		w.out.Start, err = readMoment(kv)
	case attrEnd:
		w.out.End, err = readMoment(kv)
	default:
		err = w.counter(kv)
	}
	return err
}

func readMoment(kv *commonpb.KeyValue) (time.Time, error) {
	ns, err := readInt(kv)
	return time.Unix(0, ns).UTC(), err
}

// counter reads a counter. Unknown ones are those of a later version.
func (w *windowReader) counter(kv *commonpb.KeyValue) error {
	name, ok := strings.CutPrefix(kv.GetKey(), prefixCounters)
	if !ok {
		return nil
	}
	for _, c := range counters {
		if c.name == name {
			n, err := readInt(kv)
			*c.field(&w.out.Counters) = uint64(n)
			return err
		}
	}
	return nil
}

// siteReader reads what identifies a site from the attributes of a span.
type siteReader struct{ site core.Site }

func (r *siteReader) attribute(kv *commonpb.KeyValue) (err error) {
	switch kv.GetKey() {
	case attrService:
		r.site.Service, err = readText(kv)
	case attrTrack:
		r.site.Track, err = readText(kv)
	case attrName:
		r.site.Name, err = readText(kv)
	case attrFunction:
		r.site.Function, err = readText(kv)
	case attrFile:
		r.site.File, err = readText(kv)
	case attrKind:
		var name string
		if name, err = readText(kv); err == nil {
			err = r.site.Kind.UnmarshalText([]byte(name))
		}
	case attrLine:
		var line int64
		line, err = readInt(kv)
		if err == nil && (line < 0 || line > math.MaxInt32) {
			err = fmt.Errorf("line %d", line)
		}
		r.site.Line = int(line)
	}
	return err
}
