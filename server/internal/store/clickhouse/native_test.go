package clickhouse

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// decode reads a column with that of ch-go, which knows the form from its own columns.
func decode(t *testing.T, from column, to proto.Column) {
	var b, written proto.Buffer
	if s, ok := from.(proto.StateEncoder); ok {
		s.EncodeState(&b)
	}
	state := len(b.Buf)
	from.EncodeColumn(&b)
	var sent bytes.Buffer
	w := proto.NewWriter(&sent, &written)
	from.WriteColumn(w)
	_, err := w.Flush()
	require.NoError(t, err)
	require.True(t, bytes.Equal(b.Buf[state:], sent.Bytes()), "with and without compression the same is sent")
	require.Equal(t, to.Type(), from.Type())
	r := proto.NewReader(bytes.NewReader(b.Buf))
	if s, ok := to.(proto.StateDecoder); ok {
		require.NoError(t, s.DecodeState(r))
	}
	require.NoError(t, to.DecodeColumn(r, from.Rows()))
	_, err = r.ReadByte()
	require.Error(t, err, "there is more than the column")
}

func TestWords(t *testing.T) {
	var c words
	for _, different := range []int{0, 1, 255, 256, 257, 1 << 16, 1<<16 + 1, 3} {
		c.Reset()
		var want []string
		for i := range different + different/2 {
			word := strconv.Itoa(i % different)
			want = append(want, word)
			if i%2 == 0 {
				c.add([]byte(word))
			} else {
				c.addWord(word)
			}
		}
		got := new(proto.ColStr).LowCardinality()
		decode(t, &c, got)
		require.Len(t, got.Values, len(want))
		for i := range want {
			require.Equal(t, want[i], got.Values[i])
		}
	}
}

func TestListsOfAttributes(t *testing.T) {
	c := lists[*attributes]{elements: &attributes{}}
	for range 2 { // the second time in the memory of the first
		c.Reset()
		var want [][]string
		for row := range 50 {
			want = append(want, nil)
			for element := range row % 4 {
				var list []otlp.Text
				for n := range (row + element) % 5 {
					list = append(list, otlp.Text{Key: fmt.Append(nil, "key", n), Value: bytes.Repeat([]byte{'v'}, row*n*40)})
				}
				e := c.elements.add(list)
				want[row] = append(want[row], fmt.Sprintf("%s", list))
				if element == 2 {
					c.elements.addAgain(e)
					want[row] = append(want[row], fmt.Sprintf("%s", list))
				}
			}
			c.add()
		}
		got := proto.NewArray(proto.NewMap(new(proto.ColStr).LowCardinality(), new(proto.ColStr)))
		decode(t, &c, got)
		inner := got.Data.(*proto.ColMap[string, string])
		at := 0
		for row := range want {
			for ; at < int(got.Offsets[row]); at++ {
				var list []otlp.Text
				for _, kv := range inner.RowKV(at) {
					list = append(list, otlp.Text{Key: []byte(kv.Key), Value: []byte(kv.Value)})
				}
				require.NotEmpty(t, want[row])
				require.Equal(t, want[row][0], fmt.Sprintf("%s", list))
				want[row] = want[row][1:]
			}
			require.Empty(t, want[row])
		}
	}
}
