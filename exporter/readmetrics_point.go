package exporter

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// statistic reads a number of every series.
func (r *metricsReader) statistic(of pointsOf, m *metricspb.Metric, bit int, set func(*core.Stats, int64)) error {
	least := int64(0)
	if bit < len(statistics) && statistics[bit].anySign {
		least = math.MinInt64
	}
	for _, point := range numbers(m) {
		n, err := integer(point, least)
		if err != nil {
			return err
		}
		s, _, err := r.series(of, point.GetTimeUnixNano(), point.GetAttributes(), bit)
		if err != nil {
			return err
		}
		set(&s.stats, n)
	}
	return nil
}

// squares reads the summands of the sums of squares.
func (r *metricsReader) squares(of pointsOf, m *metricspb.Metric) error {
	for _, point := range numbers(m) {
		v, ok := point.GetValue().(*metricspb.NumberDataPoint_AsDouble)
		if !ok || !(v.AsDouble >= 0 && v.AsDouble < 0x1p128) || v.AsDouble != math.Trunc(v.AsDouble) {
			return errors.New("a value that is not a whole number from 0 to 2^128")
		}
		s, part, err := r.series(of, point.GetTimeUnixNano(), point.GetAttributes(), squaresBit)
		if err != nil {
			return err
		}
		if part < 0 {
			return fmt.Errorf("a point without %s", partKey)
		}
		n, _ := new(big.Float).SetFloat64(v.AsDouble).Int(nil)
		lo := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		hi := n.Rsh(n, 64).Uint64()
		sum := &s.stats.SumSquares
		var carry uint64
		sum.Lo, carry = bits.Add64(sum.Lo, lo, 0)
		if sum.Hi, carry = bits.Add64(sum.Hi, hi, carry); carry > 0 {
			return errors.New("the parts add up to more than 2^128")
		}
	}
	return nil
}

// duration reads the histograms and the exemplars.
func (r *metricsReader) duration(of pointsOf, m *metricspb.Metric) error {
	for _, point := range m.GetExponentialHistogram().GetDataPoints() {
		s, _, err := r.series(of, point.GetTimeUnixNano(), point.GetAttributes(), durationBit)
		if err != nil {
			return err
		}
		if s.stats.Histogram, err = histogram(point); err != nil {
			return err
		}
		for _, e := range point.GetExemplars() {
			if err := s.exemplar(e); err != nil {
				return fmt.Errorf("exemplar: %w", err)
			}
		}
	}
	return nil
}

// self reads the histograms of self times.
func (r *metricsReader) self(of pointsOf, m *metricspb.Metric) error {
	for _, point := range m.GetExponentialHistogram().GetDataPoints() {
		s, _, err := r.series(of, point.GetTimeUnixNano(), point.GetAttributes(), selfBit)
		if err != nil {
			return err
		}
		h, err := histogram(point)
		if err != nil {
			return err
		}
		s.stats.SelfHistogram = &h
	}
	return nil
}

func histogram(point *metricspb.ExponentialHistogramDataPoint) (core.Histogram, error) {
	switch {
	case point.GetScale() != core.Scale:
		return core.Histogram{}, fmt.Errorf("a histogram of scale %d, want the full resolution of scale %d",
			point.GetScale(), core.Scale)
	case len(point.GetNegative().GetBucketCounts()) > 0 || point.GetZeroThreshold() != 0:
		return core.Histogram{}, errors.New("a histogram with negative values or a zero threshold")
	}
	d := core.Dense{
		Scale: core.Scale, Offset: int(point.GetPositive().GetOffset()),
		Counts: point.GetPositive().GetBucketCounts(), Zero: point.GetZeroCount(),
	}
	h, ok := d.Histogram()
	if !ok {
		return core.Histogram{}, errors.New("a histogram of more than 64 bits of nanoseconds")
	}
	return h, nil
}

// exemplar reads an exemplar. Roles of a later version are skipped.
func (s *statsReading) exemplar(p *metricspb.Exemplar) error {
	v, ok := p.GetValue().(*metricspb.Exemplar_AsInt)
	if !ok || v.AsInt < 0 {
		return errors.New("a value that is not a duration in whole nanoseconds")
	}
	e := core.Exemplar{Duration: uint64(v.AsInt), Time: int64(min(p.GetTimeUnixNano(), math.MaxInt64))}
	if len(p.GetTraceId()) != len(e.Trace) || len(p.GetSpanId()) != len(e.Span) {
		return fmt.Errorf("ids of %d and %d bytes, want %d and %d",
			len(p.GetTraceId()), len(p.GetSpanId()), len(e.Trace), len(e.Span))
	}
	copy(e.Trace[:], p.GetTraceId())
	copy(e.Span[:], p.GetSpanId())
	role := ""
	for _, kv := range p.GetFilteredAttributes() {
		switch kv.GetKey() {
		case string(sampledKey):
			e.Sampled = kv.GetValue().GetBoolValue()
		case string(roleKey):
			role = kv.GetValue().GetStringValue()
		}
	}
	switch role {
	case roleSlowest:
		s.stats.Slowest = e
	case roleError:
		s.stats.LastError = e
	}
	return nil
}

// seriesID is what the attributes of a point say about whose it is.
type seriesID struct {
	site         core.Site
	node, parent uint64
	overflow     bool
	// part is -1 for none.
	part int
}

// series returns the statistics that a point belongs to, and its part. A point that is there twice is an error.
func (r *metricsReader) series(of pointsOf, time uint64, attrs []*commonpb.KeyValue, bit int) (*statsReading, int, error) {
	id, err := readSeriesID(attrs)
	if err != nil {
		return nil, 0, err
	}
	if of == nodePoints && !id.overflow && id.node == 0 {
		return nil, 0, fmt.Errorf("a point of a node without %s", nodeKey)
	}
	s, err := r.at(time).find(id, of == nodePoints)
	if err != nil {
		return nil, 0, err
	}
	mark := uint64(1) << (bit + max(id.part, 0))
	if s.seen&mark != 0 {
		return nil, 0, fmt.Errorf("two points for %.200q at one time", id.site.String())
	}
	s.seen |= mark
	return s, id.part, nil
}

// readSeriesID reads the attributes of a point. Those that others have added are skipped.
func readSeriesID(attrs []*commonpb.KeyValue) (seriesID, error) {
	id := seriesID{part: -1}
	for _, kv := range attrs {
		if err := id.read(kv); err != nil {
			return id, err
		}
	}
	if id.overflow {
		return seriesID{site: core.OverflowSite, overflow: true, part: id.part}, nil
	}
	return id, nil
}

func (id *seriesID) read(kv *commonpb.KeyValue) (err error) {
	var s string
	switch kv.GetKey() {
	case string(serviceKey):
		id.site.Service, err = textValue(kv)
	case string(trackKey):
		id.site.Track, err = textValue(kv)
	case string(spanNameKey):
		id.site.Name, err = textValue(kv)
	case string(functionKey):
		id.site.Function, err = textValue(kv)
	case string(fileKey):
		id.site.File, err = textValue(kv)
	case string(lineKey):
		id.site.Line, err = intValue(kv, math.MaxInt32)
	case string(partKey):
		id.part, err = intValue(kv, squaresSummand-1)
	case string(overflowKey):
		id.overflow = kv.GetValue().GetBoolValue()
	case string(spanKindKey):
		if s, err = textValue(kv); err == nil {
			id.site.Kind, err = parseKind(s)
		}
	case string(nodeKey):
		id.node, err = hexValue(kv)
	case string(parentKey):
		id.parent, err = hexValue(kv)
	}
	return err
}

func intValue(kv *commonpb.KeyValue, most int64) (int, error) {
	v, ok := kv.GetValue().GetValue().(*commonpb.AnyValue_IntValue)
	if !ok || v.IntValue < 0 || v.IntValue > most {
		return 0, fmt.Errorf("attribute %q is not an integer from 0 to %d", kv.GetKey(), most)
	}
	return int(v.IntValue), nil
}

func hexValue(kv *commonpb.KeyValue) (uint64, error) {
	s, err := textValue(kv)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("attribute %q is %.100q, want a hexadecimal number above 0", kv.GetKey(), s)
	}
	return n, nil
}
