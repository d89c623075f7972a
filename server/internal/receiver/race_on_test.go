//go:build race

package receiver

// raceDetector: the detector has memory of its own beside that of the program.
const raceDetector = true
