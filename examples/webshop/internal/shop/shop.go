// Package shop is a small web shop, instrumented as such services are: by libraries that other people wrote
// (otelhttp, otelgrpc, otelsql) and with a few spans of its own. It knows OpenTelemetry and nothing of otelprof.
//
// One process plays all parts over loopback: the shop itself, the suppliers it asks for offers by HTTP, the bank
// it charges cards with by gRPC, and an SQL database.
package shop

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// scope is the instrumentation scope of the shop's own spans.
const scope = "webshop"

// Shop is a running web shop. Its methods may be called from any goroutine.
type Shop struct {
	catalog   *catalog
	suppliers *suppliers
	bank      *bank
	warehouse *warehouse
}

// Start opens the database in the folder dir and starts the services that the shop depends on. They use the
// global tracer provider and propagator of this moment.
func Start(ctx context.Context, dir string) (*Shop, error) {
	s := &Shop{}
	var err error
	if s.catalog, err = openCatalog(ctx, dir); err != nil {
		return nil, err
	}
	if s.suppliers, err = startSuppliers(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.bank, err = startBank(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.warehouse = startWarehouse(s.catalog)
	return s, nil
}

// Close ships the orders that are left and stops everything that Start started, in reverse order. Call it when
// no request is served any more.
func (s *Shop) Close() error {
	var errs []error
	if s.warehouse != nil {
		s.warehouse.close()
	}
	if s.bank != nil {
		errs = append(errs, s.bank.close())
	}
	if s.suppliers != nil {
		errs = append(errs, s.suppliers.close())
	}
	return errors.Join(append(errs, s.catalog.close())...)
}

// Handler returns the shop's pages. Their spans are started with the method as their name, and get the name of
// their route when the request was served.
func (s *Shop) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /products/{id}", s.product)
	mux.HandleFunc("GET /categories/{name}", s.category)
	mux.HandleFunc("GET /search", s.search)
	mux.HandleFunc("POST /orders", s.order)
	return otelhttp.NewHandler(mux, scope)
}
