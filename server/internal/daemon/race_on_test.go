//go:build race

package daemon

// raceDetector: the detector makes everything so slow that tests of size take less of it.
const raceDetector = true
