// Package config gives the flags of a command their values from the environment and from a file: a flag on the command line
// wins, then OTELPROF_* variables, then the file, then the defaults.
//
// A flag --otlp-grpc is the variable OTELPROF_OTLP_GRPC and the key otlp-grpc or otlp_grpc of the file. So the flags are the
// one list of settings, with one text of help for each.
package config
