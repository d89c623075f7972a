// Package receiver takes OTLP from the network: OTLP/HTTP with protobuf and JSON, and OTLP/gRPC. A Receiver is one
// http.Handler for both, so that a client which mistakes one port for the other is served all the same. It hands the
// bytes of each request to a Sink; no message is built.
//
// gRPC is spoken over net/http's HTTP/2 rather than with grpc's own server: that one reads a message into memory before
// anybody is asked, as many as there are streams, and unpacks it likewise. Here every byte that waits for the sink is
// counted against Limits.InFlightBytes, whoever sent it, and a client that sends faster than the server takes is held
// back by its flow control. A unary call is little more than five bytes before the message and the status after it.
//
// Compressed bodies are first read and then unpacked by at most as many goroutines as there are processors: a slow
// client holds no decoder, and bombs are unpacked one by one.
package receiver
