package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
)

// Suppliers are the names of those who are asked for offers.
var Suppliers = []string{"north", "south", "west"}

// OutOfStock reports whether a supplier answers 503 when asked for a product: the errors in the profile.
func OutOfStock(supplier string, product int) bool { return supplier == "west" && product%7 == 0 }

// Offer is what a supplier asks for a product.
type Offer struct {
	Supplier string `json:"supplier"`
	Cents    int    `json:"cents"`
}

// suppliers is an HTTP server that plays all suppliers, and the client that asks them.
type suppliers struct {
	server *http.Server
	served sync.WaitGroup
	// transport is what the instrumented client stands on: only itself can close its connections.
	transport *http.Transport
	client    *http.Client
	url       string
}

func startSuppliers() (*suppliers, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the suppliers: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{supplier}/offers/{product}", sendOffer)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	s := &suppliers{
		server:    &http.Server{Handler: otelhttp.NewHandler(mux, "suppliers"), ReadHeaderTimeout: 5 * time.Second},
		transport: transport,
		client:    &http.Client{Transport: otelhttp.NewTransport(transport), Timeout: 10 * time.Second},
		url:       "http://" + listener.Addr().String(),
	}
	// Serve's error is always that of close.
	s.served.Go(func() { _ = s.server.Serve(listener) })
	return s, nil
}

func (s *suppliers) close() error {
	// The client goes first: Shutdown waits for connections that were opened but never used.
	s.transport.CloseIdleConnections()
	err := s.server.Shutdown(context.Background())
	s.served.Wait()
	return err
}

// sendOffer is the suppliers' side.
func sendOffer(w http.ResponseWriter, r *http.Request) {
	supplier := r.PathValue("supplier")
	product, err := strconv.Atoi(r.PathValue("product"))
	if err != nil || !slices.Contains(Suppliers, supplier) {
		http.NotFound(w, r)
		return
	}
	time.Sleep(time.Duration(1+product%3) * time.Millisecond)
	if OutOfStock(supplier, product) {
		http.Error(w, "out of stock", http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(Offer{supplier, 150 + product*31%9000 + len(supplier)})
}

// offers asks all suppliers at once and returns the answers of those who have the product. The time of this span
// that its concurrent children do not cover, its self time, is short, although theirs adds up to more than it took.
func (s *suppliers) offers(ctx context.Context, product int) []Offer {
	ctx, span := otel.Tracer(scope).Start(ctx, "ask suppliers")
	defer span.End()
	var (
		wg      sync.WaitGroup
		answers = make([]*Offer, len(Suppliers))
	)
	for i, supplier := range Suppliers {
		wg.Go(func() {
			// An offer that could not be had is missing on the page; its span tells why.
			answers[i], _ = s.offer(ctx, supplier, product)
		})
	}
	wg.Wait()
	offers := []Offer{}
	for _, o := range answers {
		if o != nil {
			offers = append(offers, *o)
		}
	}
	return offers
}

func (s *suppliers) offer(ctx context.Context, supplier string, product int) (offer *Offer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/%s/offers/%d", s.url, supplier, product), nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("supplier %s: %s", supplier, res.Status)
	}
	offer = &Offer{}
	return offer, json.NewDecoder(res.Body).Decode(offer)
}
