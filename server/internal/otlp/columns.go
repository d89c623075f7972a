package otlp

import "bytes"

// Text is an attribute with its value as text, see [Texts].
type Text struct{ Key, Value []byte }

// Columns is what tables of spans have in columns. It keeps memory between calls: what it holds is valid until the next Read,
// and as long as the message.
type Columns struct {
	// Span has all that it has after its own Read, but for Failed, the call site and Profile.
	Span
	Attributes []Text
	// StatusCode is the number of OTLP: 1 for ok, 2 for error.
	StatusCode    uint64
	StatusMessage []byte
	Events        []EventColumns
	Links         []LinkColumns

	texts Texts
	// values are those of attributes.
	values []byte
	// visit is c.keep, which would be made anew for every attribute otherwise; it appends to kept.
	visit func(key, text []byte) bool
	kept  []Text
}

// EventColumns is an event of a span.
type EventColumns struct {
	Time       uint64
	Name       []byte
	Attributes []Text
}

// LinkColumns is a link of a span.
type LinkColumns struct {
	Trace, Span, TraceState []byte
	Attributes              []Text
}

// Read reads a Span message. What is malformed within a field, which a [Checker] lets not pass, is left out.
func (c *Columns) Read(span []byte) error {
	if c.visit == nil {
		c.visit = c.keep
	}
	c.Span = Span{Raw: span}
	c.Attributes, c.Events, c.Links, c.values = c.Attributes[:0], c.Events[:0], c.Links[:0], c.values[:0]
	c.StatusCode, c.StatusMessage = 0, nil
	var ids spanIDs
	f := fields{message: span}
	for f.next() {
		switch f.tag {
		case 9<<3 | bytesType:
			c.Attributes = c.attribute(c.Attributes, f.value)
		case 11<<3 | bytesType:
			c.event(f.value)
		case 13<<3 | bytesType:
			c.link(f.value)
		case 15<<3 | bytesType:
			c.status(f.value)
		default:
			c.single(f.tag, f.value, f.n, &ids)
		}
	}
	c.setIDs(&ids)
	return f.err
}

// attribute appends an attribute to a list.
func (c *Columns) attribute(to []Text, message []byte) []Text {
	c.kept = to
	c.texts.attribute(message, c.visit)
	return c.kept
}

// keep keeps an attribute. The key is a part of the message; the text may lie in memory that is used again.
func (c *Columns) keep(key, text []byte) bool {
	from := len(c.values)
	c.values = append(c.values, text...)
	c.kept = append(c.kept, Text{key, c.values[from:len(c.values):len(c.values)]})
	return true
}

func (c *Columns) event(message []byte) {
	e := EventColumns{}
	if n := len(c.Events); n < cap(c.Events) {
		e.Attributes = c.Events[:n+1][n].Attributes[:0]
	}
	for f := (fields{message: message}); f.next(); {
		switch f.tag {
		case 1<<3 | fixed64Type:
			e.Time = f.n
		case 2<<3 | bytesType:
			e.Name = f.value
		case 3<<3 | bytesType:
			e.Attributes = c.attribute(e.Attributes, f.value)
		}
	}
	c.Events = append(c.Events, e)
}

func (c *Columns) link(message []byte) {
	l := LinkColumns{}
	if n := len(c.Links); n < cap(c.Links) {
		l.Attributes = c.Links[:n+1][n].Attributes[:0]
	}
	for f := (fields{message: message}); f.next(); {
		switch f.tag {
		case 1<<3 | bytesType:
			l.Trace = f.value
		case 2<<3 | bytesType:
			l.Span = f.value
		case 3<<3 | bytesType:
			l.TraceState = f.value
		case 4<<3 | bytesType:
			l.Attributes = c.attribute(l.Attributes, f.value)
		}
	}
	c.Links = append(c.Links, l)
}

func (c *Columns) status(message []byte) {
	for f := (fields{message: message}); f.next(); {
		switch f.tag {
		case 2<<3 | bytesType:
			c.StatusMessage = f.value
		case 3<<3 | varintType:
			c.StatusCode = f.n
		}
	}
}

// OriginColumns is what tables of spans have of an [Origin] in columns.
type OriginColumns struct {
	// Attributes are those of the resource, ScopeAttributes those of the instrumentation scope.
	Attributes, ScopeAttributes []Text
	ScopeName, ScopeVersion     []byte
}

// ReadOrigin reads an origin's messages. What it returns is valid as long as they are.
func ReadOrigin(resource, scope []byte) OriginColumns {
	var c OriginColumns
	var texts Texts
	gather := func(to *[]Text) func(key, text []byte) bool {
		return func(key, text []byte) bool {
			*to = append(*to, Text{key, bytes.Clone(text)})
			return true
		}
	}
	texts.Resource(resource, gather(&c.Attributes))
	texts.Scope(scope, gather(&c.ScopeAttributes))
	for f := (fields{message: scope}); f.next(); {
		if f.tag != 1<<3|bytesType {
			continue
		}
		for g := (fields{message: f.value}); g.next(); {
			switch g.tag {
			case 1<<3 | bytesType:
				c.ScopeName = g.value
			case 2<<3 | bytesType:
				c.ScopeVersion = g.value
			}
		}
	}
	return c
}

// CheckFields returns an error if a message cannot be read field by field. It does not look into the fields.
func CheckFields(message []byte) error {
	f := fields{message: message}
	for f.next() {
	}
	return f.err
}
