package exporter

import (
	"errors"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// statisticsReader reads the statistics on a span.
type statisticsReader struct {
	stats  core.Stats
	packed []byte
	// packedSelf is there if the self times are known one by one: selfKnown.
	packedSelf []byte
	selfKnown  bool
}

// readStatistics is the inverse of setStatistics, and with packing.outside of setOutside.
func readStatistics(span *tracepb.Span, p packing, budget *spanBudget) (core.Stats, error) {
	r := &statisticsReader{}
	for _, kv := range span.GetAttributes() {
		if err := r.attribute(kv); err != nil {
			return core.Stats{}, err
		}
	}
	for _, link := range span.GetLinks() {
		if err := r.link(link); err != nil {
			return core.Stats{}, err
		}
	}
	if len(r.packed) == 0 && r.stats.Count == 0 && !p.outside {
		return r.stats, nil
	}
	err := p.unpack(r.packed, &r.stats, budget)
	if err == nil && r.selfKnown {
		err = p.unpackSelf(r.packedSelf, &r.stats, budget)
	}
	return r.stats, err
}

func (r *statisticsReader) attribute(kv *commonpb.KeyValue) (err error) {
	s := &r.stats
	for _, f := range [...]struct {
		key   string
		value *uint64
	}{
		{attrCount, &s.Count}, {attrErrors, &s.Errors}, {attrTotal, &s.Total}, {attrSelf, &s.Self},
		{attrCritical, &s.Critical}, {attrUnsampled, &s.Unsampled}, {attrMin, &s.Min}, {attrMax, &s.Max}, {attrBytes, &s.Bytes},
	} {
		if f.key == kv.GetKey() {
			n, err := readInt(kv)
			*f.value = uint64(n)
			return err
		}
	}
	switch kv.GetKey() {
	case attrActive:
		s.Active, err = readInt(kv)
	case attrPacked:
		r.packed, err = readBytes(kv)
	case attrPackedSelf:
		r.selfKnown = true
		r.packedSelf, err = readBytes(kv)
	}
	return err
}

// link reads an exemplar that is a link. Other links are ignored.
func (r *statisticsReader) link(link *tracepb.Span_Link) error {
	for _, kv := range link.GetAttributes() {
		if kv.GetKey() != attrExemplar {
			continue
		}
		e := &r.stats.Slowest
		switch role, err := readText(kv); {
		case err != nil:
			return err
		case role == exemplarLastError:
			e = &r.stats.LastError
		case role != exemplarSlowest:
			return nil
		}
		if !copyID(e.Trace[:], link.GetTraceId()) || !copyID(e.Span[:], link.GetSpanId()) {
			return errors.New("an exemplar has no usable ids")
		}
	}
	return nil
}
