package otlp

// Text is an attribute with its value as text, see [Texts].
type Text struct{ Key, Value string }

// Columns is what tables of spans have in columns and [Span] does not read. It keeps memory between calls: what it holds is
// valid until the next Read.
type Columns struct {
	Attributes []Text
	// StatusCode is the number of OTLP: 1 for ok, 2 for error.
	StatusCode    uint64
	StatusMessage []byte
	Events        []EventColumns
	Links         []LinkColumns

	texts Texts
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

// Read reads a Span message.
func (c *Columns) Read(span []byte) error {
	c.Attributes, c.Events, c.Links = c.Attributes[:0], c.Events[:0], c.Links[:0]
	c.StatusCode, c.StatusMessage = 0, nil
	f := fields{message: span}
	for f.next() {
		switch f.tag {
		case 9<<3 | bytesType:
			c.texts.attribute(f.value, gather(&c.Attributes))
		case 11<<3 | bytesType:
			c.event(f.value)
		case 13<<3 | bytesType:
			c.link(f.value)
		case 15<<3 | bytesType:
			c.status(f.value)
		}
	}
	return f.err
}

// gather returns a visitor that appends to a list.
func gather(to *[]Text) func(key, text []byte) bool {
	return func(key, text []byte) bool {
		*to = append(*to, Text{string(key), string(text)})
		return true
	}
}

func (c *Columns) event(message []byte) {
	var e EventColumns
	for f := (fields{message: message}); f.next(); {
		switch f.tag {
		case 1<<3 | fixed64Type:
			e.Time = f.n
		case 2<<3 | bytesType:
			e.Name = f.value
		case 3<<3 | bytesType:
			c.texts.attribute(f.value, gather(&e.Attributes))
		}
	}
	c.Events = append(c.Events, e)
}

func (c *Columns) link(message []byte) {
	var l LinkColumns
	for f := (fields{message: message}); f.next(); {
		switch f.tag {
		case 1<<3 | bytesType:
			l.Trace = f.value
		case 2<<3 | bytesType:
			l.Span = f.value
		case 3<<3 | bytesType:
			l.TraceState = f.value
		case 4<<3 | bytesType:
			c.texts.attribute(f.value, gather(&l.Attributes))
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
	ScopeName, ScopeVersion     string
}

// ReadOrigin reads an origin's messages.
func ReadOrigin(resource, scope []byte) OriginColumns {
	var c OriginColumns
	var texts Texts
	texts.Resource(resource, gather(&c.Attributes))
	texts.Scope(scope, gather(&c.ScopeAttributes))
	for f := (fields{message: scope}); f.next(); {
		if f.tag != 1<<3|bytesType {
			continue
		}
		for g := (fields{message: f.value}); g.next(); {
			switch g.tag {
			case 1<<3 | bytesType:
				c.ScopeName = string(g.value)
			case 2<<3 | bytesType:
				c.ScopeVersion = string(g.value)
			}
		}
	}
	return c
}
