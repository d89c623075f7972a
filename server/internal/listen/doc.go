// Package listen opens the listeners of the server and guards them, those of HTTP and of gRPC alike: TLS with certificates
// that are read anew when their files change, client certificates, bearer tokens, the host names under which the server may
// be addressed, and how many connections there may be.
//
// What can be reached from other machines must have TLS and ask for tokens or client certificates, unless Config.Insecure
// says that somebody decided otherwise.
package listen
