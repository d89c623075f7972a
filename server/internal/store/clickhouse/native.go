package clickhouse

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// The columns here are filled from bytes, in the form in which they are sent: nothing is allocated for a row, and after a Reset
// their memory is used again. The driver takes values one by one in interfaces, which costs ten times as much.

// column is what a column of a table is sent from.
type column interface {
	proto.ColInput
	Reset()
}

// times are a DateTime64(9) column: nanoseconds since the Unix epoch.
type times struct{ proto.ColInt64 }

// Type implements proto.ColInput.
func (times) Type() proto.ColumnType { return "DateTime64(9)" }

// texts are a String column: each text behind its length.
type texts struct {
	data []byte
	rows int
}

func (c *texts) add(text []byte) {
	c.data = append(binary.AppendUvarint(c.data, uint64(len(text))), text...)
	c.rows++
}

// addHex adds bytes in hexadecimal.
func (c *texts) addHex(b []byte) {
	c.data = hex.AppendEncode(binary.AppendUvarint(c.data, uint64(hex.EncodedLen(len(b)))), b)
	c.rows++
}

// Type implements proto.ColInput.
func (*texts) Type() proto.ColumnType { return proto.ColumnTypeString }

// Rows implements proto.ColInput.
func (c *texts) Rows() int { return c.rows }

// Reset empties the column.
func (c *texts) Reset() { c.data, c.rows = c.data[:0], 0 }

// EncodeColumn implements proto.ColInput.
func (c *texts) EncodeColumn(b *proto.Buffer) { b.PutRaw(c.data) }

// WriteColumn implements proto.ColInput.
func (c *texts) WriteColumn(w *proto.Writer) { w.ChainWrite(c.data) }

// words are a LowCardinality(String) column: the different texts, and which of them is in each row.
type words struct {
	numbers map[string]uint32
	texts   texts
	rows    []uint32
}

// add adds a row, and returns the number of its text.
func (c *words) add(text []byte) uint32 {
	n, ok := c.numbers[string(text)]
	if !ok {
		n = c.learn(string(text))
	}
	c.rows = append(c.rows, n)
	return n
}

func (c *words) addWord(text string) {
	n, ok := c.numbers[text]
	if !ok {
		n = c.learn(text)
	}
	c.rows = append(c.rows, n)
}

func (c *words) learn(text string) uint32 {
	if c.numbers == nil {
		c.numbers = map[string]uint32{}
	}
	n := uint32(len(c.numbers))
	c.numbers[text] = n
	c.texts.add([]byte(text))
	return n
}

// Type implements proto.ColInput.
func (*words) Type() proto.ColumnType { return "LowCardinality(String)" }

// Rows implements proto.ColInput.
func (c *words) Rows() int { return len(c.rows) }

// Reset empties the column.
func (c *words) Reset() {
	if clear(c.numbers); c.texts.rows > maxWords {
		c.numbers = nil // a map does not shrink
	}
	c.texts.Reset()
	c.rows = c.rows[:0]
}

// maxWords is for how many different texts there is room after a Reset.
const maxWords = 1 << 16

// EncodeState implements proto.StateEncoder: the version of the form.
func (*words) EncodeState(b *proto.Buffer) { b.PutUInt64(1) }

// The form of the numbers of rows, and that the different texts come with them, as an addition and at once.
const (
	wordsOf8, wordsOf16, wordsOf32 = 0, 1, 2
	wordsFollow                    = 1<<9 | 1<<10
)

// EncodeColumn implements proto.ColInput.
func (c *words) EncodeColumn(b *proto.Buffer) {
	if len(c.rows) == 0 {
		return
	}
	form := wordsOf32
	switch n := c.texts.rows; {
	case n <= math.MaxUint8:
		form = wordsOf8
	case n <= math.MaxUint16:
		form = wordsOf16
	}
	b.PutUInt64(uint64(wordsFollow | form))
	b.PutUInt64(uint64(c.texts.rows))
	c.texts.EncodeColumn(b)
	b.PutUInt64(uint64(len(c.rows)))
	for _, n := range c.rows {
		switch form {
		case wordsOf8:
			b.Buf = append(b.Buf, byte(n))
		case wordsOf16:
			b.Buf = binary.LittleEndian.AppendUint16(b.Buf, uint16(n))
		default:
			b.Buf = binary.LittleEndian.AppendUint32(b.Buf, n)
		}
	}
}

// WriteColumn implements proto.ColInput.
func (c *words) WriteColumn(w *proto.Writer) { w.ChainBuffer(c.EncodeColumn) }

// attributes are a Map(LowCardinality(String), String) column.
type attributes struct {
	// ends is where the attributes of each row end.
	ends   proto.ColUInt64
	keys   words
	values texts
}

// stretch is where the attributes of a row are: their keys and values.
type stretch struct{ key, keyEnd, value, valueEnd int }

// add adds a row.
func (c *attributes) add(list []otlp.Text) stretch {
	e := stretch{key: len(c.keys.rows), value: len(c.values.data)}
	for i := range list {
		c.keys.add(list[i].Key)
		c.values.add(list[i].Value)
	}
	c.ends.Append(uint64(len(c.keys.rows)))
	e.keyEnd, e.valueEnd = len(c.keys.rows), len(c.values.data)
	return e
}

// addAgain adds what is in another row.
func (c *attributes) addAgain(e stretch) {
	c.keys.rows = append(c.keys.rows, c.keys.rows[e.key:e.keyEnd]...)
	c.values.data = append(c.values.data, c.values.data[e.value:e.valueEnd]...)
	c.values.rows += e.keyEnd - e.key
	c.ends.Append(uint64(len(c.keys.rows)))
}

// Type implements proto.ColInput.
func (*attributes) Type() proto.ColumnType { return "Map(LowCardinality(String), String)" }

// Rows implements proto.ColInput.
func (c *attributes) Rows() int { return len(c.ends) }

// Reset empties the column.
func (c *attributes) Reset() {
	c.ends.Reset()
	c.keys.Reset()
	c.values.Reset()
}

// EncodeState implements proto.StateEncoder.
func (c *attributes) EncodeState(b *proto.Buffer) { c.keys.EncodeState(b) }

// EncodeColumn implements proto.ColInput.
func (c *attributes) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.keys.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn implements proto.ColInput.
func (c *attributes) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.keys.WriteColumn(w)
	c.values.WriteColumn(w)
}

// lists are an Array column, made of a column of all elements.
type lists[C column] struct {
	// ends is where the elements of each row end.
	ends     proto.ColUInt64
	elements C
}

// add adds a row: the elements that were added since the last one.
func (c *lists[C]) add() { c.ends.Append(uint64(c.elements.Rows())) }

// Type implements proto.ColInput.
func (c *lists[C]) Type() proto.ColumnType { return proto.ColumnTypeArray.Sub(c.elements.Type()) }

// Rows implements proto.ColInput.
func (c *lists[C]) Rows() int { return len(c.ends) }

// Reset empties the column.
func (c *lists[C]) Reset() {
	c.ends.Reset()
	c.elements.Reset()
}

// EncodeState implements proto.StateEncoder.
func (c *lists[C]) EncodeState(b *proto.Buffer) {
	if e, ok := any(c.elements).(proto.StateEncoder); ok {
		e.EncodeState(b)
	}
}

// EncodeColumn implements proto.ColInput.
func (c *lists[C]) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.elements.EncodeColumn(b)
}

// WriteColumn implements proto.ColInput.
func (c *lists[C]) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.elements.WriteColumn(w)
}
