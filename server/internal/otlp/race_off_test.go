//go:build !race

package otlp

const raceDetector = false
