package core

func histogramOf(values ...uint64) Histogram {
	var h Histogram
	for _, v := range values {
		if v == 0 {
			h = h.Merge(Histogram{Zero: 1})
			continue
		}
		h = h.Merge(Histogram{Buckets: []Bucket{{int32(BucketIndex(v)), 1}}})
	}
	return h
}
