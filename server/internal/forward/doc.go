// Package forward sends requests onward to another OTLP receiver, as they came. Requests wait in a queue that is bounded in
// bytes; what fails is tried again as OTLP says, with growing waits; what is lost is counted by why. The server itself does
// not wait: neither its clients nor its store notice when the other end is slow or gone.
package forward
