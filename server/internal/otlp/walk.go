package otlp

import "fmt"

// Walker walks requests. It keeps memory between them; the zero value is ready. One goroutine at a time may use it.
type Walker struct {
	// Split are the keys of resource attributes that tell services of the same name apart: see Origin.Service.
	Split []string

	// service is where names with split values are put together, name and values are of the resource at hand.
	service, name   []byte
	values          [][]byte
	origin          Origin
	span            Span
	resource, scope []byte
}

// Walk calls visit for every span of an ExportTraceServiceRequest, or of TracesData, which is the same on the wire. The
// span is overwritten by the next. An error that wraps ErrMalformed says what is malformed; then the spans visited before
// it do not count. Walk reads what a Span holds: what it passes over is only checked by a Checker.
func (w *Walker) Walk(request []byte, visit func(*Span) error) error {
	w.origin = Origin{Number: -1}
	f := fields{message: request}
	for f.next() {
		if f.tag>>3 != 1 {
			continue
		}
		if f.tag&7 != bytesType {
			return wrongType("resource_spans", f.tag)
		}
		if err := w.resourceSpans(f.value, f.end-len(f.value), visit); err != nil {
			return err
		}
	}
	return f.err
}

// resourceSpans walks a message that begins at a place in the request.
func (w *Walker) resourceSpans(message []byte, at int, visit func(*Span) error) error {
	// The resource may stand behind the spans.
	w.resource = w.resource[:0]
	w.name, w.values = nil, append(w.values[:0], make([][]byte, len(w.Split))...)
	f := fields{message: message}
	for f.next() {
		if f.tag == 2<<3|bytesType {
			continue
		}
		if f.tag>>3 <= 2 && f.tag&7 != bytesType {
			return wrongType("a field of ResourceSpans", f.tag)
		}
		w.resource = append(w.resource, f.raw()...)
		if f.tag == 1<<3|bytesType {
			if err := w.serviceName(f.value); err != nil {
				return err
			}
		}
	}
	if f.err != nil {
		return f.err
	}
	w.origin.Service = w.splitName()
	for f = (fields{message: message}); f.next(); {
		if f.tag == 2<<3|bytesType {
			if err := w.scopeSpans(f.value, at+f.end-len(f.value), visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// serviceName reads what the name of the service is made of.
func (w *Walker) serviceName(resource []byte) error {
	f := fields{message: resource}
	for f.next() {
		if f.tag != 1<<3|bytesType {
			continue
		}
		key, value, err := keyValue(f.value)
		if err == nil && string(key) == "service.name" {
			w.name, _, err = anyValue(value)
		}
		for i := 0; i < len(w.Split) && err == nil; i++ {
			if w.Split[i] == string(key) {
				w.values[i], _, err = anyValue(value)
			}
		}
		if err != nil {
			return err
		}
	}
	return f.err
}

// SplitMark stands between the name of a service and the values of the attributes by which it is split.
const SplitMark = '@'

// splitName returns the name of the service with the values that there are.
func (w *Walker) splitName() []byte {
	w.service = w.service[:0]
	mark := byte(SplitMark)
	for _, value := range w.values {
		if len(value) == 0 {
			continue
		}
		if mark == SplitMark {
			w.service = append(w.service, w.name...)
		}
		w.service = append(append(w.service, mark), value...)
		mark = ','
	}
	if len(w.service) == 0 {
		return w.name
	}
	return w.service
}

func (w *Walker) scopeSpans(message []byte, at int, visit func(*Span) error) error {
	w.scope = w.scope[:0]
	o := &w.origin
	o.ScopeName, o.ScopeVersion = nil, nil
	f := fields{message: message}
	for f.next() {
		if f.tag == 2<<3|bytesType {
			continue
		}
		if f.tag>>3 <= 2 && f.tag&7 != bytesType {
			return wrongType("a field of ScopeSpans", f.tag)
		}
		w.scope = append(w.scope, f.raw()...)
		if f.tag == 1<<3|bytesType {
			if err := o.readScope(f.value); err != nil {
				return err
			}
		}
	}
	if f.err != nil {
		return f.err
	}
	o.Number++
	o.Resource, o.Scope = w.resource, w.scope
	for f = (fields{message: message}); f.next(); {
		if f.tag != 2<<3|bytesType {
			continue
		}
		if err := w.span.Read(f.value); err != nil {
			return err
		}
		w.span.Origin, w.span.At = o, at+f.end-len(f.value)
		if err := visit(&w.span); err != nil {
			return err
		}
	}
	return nil
}

func (o *Origin) readScope(scope []byte) error {
	f := fields{message: scope}
	for f.next() {
		switch f.tag {
		case 1<<3 | bytesType:
			o.ScopeName = f.value
		case 2<<3 | bytesType:
			o.ScopeVersion = f.value
		}
	}
	return f.err
}

func wrongType(what string, tag uint32) error {
	return fmt.Errorf("%w: %s has wire type %d", ErrMalformed, what, tag&7)
}
