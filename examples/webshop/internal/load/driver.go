package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Driver sends the requests of a plan.
type Driver struct {
	// BaseURL is the address of the shop, such as "http://127.0.0.1:8080".
	BaseURL string
	Plan    *Plan
	// Rate is how many requests to send per second at most, 0 for as many as Clients can.
	Rate float64
	// Requests is how many to send in all, 0 for no end.
	Requests int
	// Clients is how many requests may be under way at once, at least 1.
	Clients int
}

// Tally is what a driver sent.
type Tally struct {
	// Routes counts the requests by the route they were for.
	Routes map[string]int
	// Sent is the number of all requests.
	Sent int
}

// Run sends requests until ctx ends or all were sent. It never gives up a request that it began, so that the tally
// is exact. The error tells of the first answer that was not as planned; the driver stops there.
func (d *Driver) Run(ctx context.Context) (Tally, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		requests = make(chan Request)
		client   = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: d.Clients}}
		clients  sync.WaitGroup
		mu       sync.Mutex
		tally    = Tally{Routes: map[string]int{}}
	)
	for range max(d.Clients, 1) {
		clients.Go(func() {
			for r := range requests {
				if err := d.send(client, r); err != nil {
					cancel(err)
				}
				mu.Lock()
				tally.Routes[r.Route]++
				tally.Sent++
				mu.Unlock()
			}
		})
	}
	d.generate(ctx, requests)
	close(requests)
	clients.Wait()
	client.CloseIdleConnections()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, ctx.Err()) {
		return tally, err
	}
	return tally, nil
}

// generate writes the plan's requests to the clients, each at its time.
func (d *Driver) generate(ctx context.Context, requests chan<- Request) {
	start := time.Now()
	for i := 0; d.Requests == 0 || i < d.Requests; i++ {
		var wait time.Duration
		if d.Rate > 0 {
			wait = time.Until(start.Add(time.Duration(float64(i) / d.Rate * float64(time.Second))))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		select {
		case requests <- d.Plan.Next():
		case <-ctx.Done():
			return
		}
	}
}

// send sends one request and checks the answer's status.
func (d *Driver) send(client *http.Client, r Request) error {
	// There is no context to end: a request that was begun is a request in the tally.
	req, err := http.NewRequest(r.Method, d.BaseURL+r.Path, strings.NewReader(r.Form.Encode()))
	if err != nil {
		return err
	}
	if r.Form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	// The server's span has ended when the whole answer has arrived.
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return fmt.Errorf("%s %s: reading the answer: %w", r.Method, r.Path, err)
	}
	if res.StatusCode != r.Status {
		return fmt.Errorf("%s %s: answered %s, want %d", r.Method, r.Path, res.Status, r.Status)
	}
	return nil
}
