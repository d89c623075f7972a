// Package archtest proves that the server's packages point only downwards, as ARCHITECTURE.md says.
package archtest
