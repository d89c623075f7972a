package otlp

import (
	"bytes"
	"math/bits"
)

// AdjustedCount says how many spans one stands for, in 1024ths, by the threshold in its tracestate, such as ot=th:c: the
// sampler kept the traces whose randomness is not below it. ok is false if the tracestate does not say or is malformed; then
// the span stands for itself alone, as far as one can know. The threshold is that of OpenTelemetry's probability
// sampling: up to 14 hexadecimal digits, trailing zeros left out, of T in 2^56/(2^56-T).
func AdjustedCount(tracestate []byte) (count uint64, ok bool) {
	for len(tracestate) > 0 {
		var member []byte
		member, tracestate, _ = bytes.Cut(tracestate, []byte(","))
		value, found := bytes.CutPrefix(bytes.Trim(member, " \t"), []byte("ot="))
		if !found {
			continue
		}
		for len(value) > 0 {
			var field []byte
			field, value, _ = bytes.Cut(value, []byte(";"))
			if digits, found := bytes.CutPrefix(field, []byte("th:")); found {
				return fromThreshold(digits)
			}
		}
		return 0, false
	}
	return 0, false
}

func fromThreshold(digits []byte) (count uint64, ok bool) {
	if len(digits) == 0 || len(digits) > 14 {
		return 0, false
	}
	var t uint64
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			t = t<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			t = t<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	t <<= 4 * (14 - len(digits))
	// 2^56*1024/(2^56-t), rounded to the nearest. With a sampling of one in 2^54 and less it does not fit into 64 bits.
	kept := 1<<56 - t
	high, low := uint64(1)<<(56+10-64), uint64(0)
	low, carry := bits.Add64(low, kept/2, 0)
	high += carry
	if high >= kept {
		return 1<<64 - 1, true
	}
	count, _ = bits.Div64(high, low, kept)
	return count, true
}
