package main

// ballast is a live heap as a service has one. It decides how often the garbage collector runs, and how much it has
// to look at when it does.
type ballast struct {
	// blobs are without pointers, such as buffers and strings: the collector need not look into them.
	blobs [][]byte
	// residents have pointers. They hang on a slice, not on each other: a long list is the collector's worst case.
	residents []*resident
}

type resident struct {
	blob []byte
	_    [40]byte
}

// newBallast returns a heap of so many bytes, of which one in 32 is in objects with pointers.
func newBallast(bytes int) *ballast {
	b := &ballast{}
	const blob = 64 << 10
	for range bytes * 31 / 32 / blob {
		b.blobs = append(b.blobs, make([]byte, blob))
	}
	for i := range bytes / 32 / 64 {
		b.residents = append(b.residents, &resident{blob: b.blobs[i%len(b.blobs)]})
	}
	return b
}
