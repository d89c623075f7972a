// Package memory is the store that keeps everything in memory: nothing outlives the process. It answers by looking at every
// span, which makes it the reference for what the other engines have to answer.
package memory
