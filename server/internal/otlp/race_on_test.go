//go:build race

package otlp

// raceDetector: the detector makes some code allocate that does not otherwise.
const raceDetector = true
