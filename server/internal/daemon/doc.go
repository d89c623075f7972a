// Package daemon starts the parts of the server and stops them in the opposite order.
package daemon
