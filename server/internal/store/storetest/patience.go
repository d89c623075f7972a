package storetest

import "context"

// Patience is a context that ends when it was asked Left times whether it has. One goroutine at a time may use it.
type Patience struct {
	context.Context
	Left int
}

// Err implements context.Context.
func (p *Patience) Err() error {
	if p.Left--; p.Left < 0 {
		return context.Canceled
	}
	return nil
}
