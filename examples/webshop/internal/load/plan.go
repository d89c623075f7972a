// Package load sends a random but repeatable mix of requests to the shop and counts what it sent.
package load

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"

	"github.com/stichotrope/stichotrope-go/examples/webshop/internal/shop"
)

// Request is one request of a plan, with what must come of it.
type Request struct {
	Method, Path string
	// Form is the body of a POST.
	Form url.Values
	// Route is the name that the request's server span must end with.
	Route string
	// Status is the status code that must be answered.
	Status int
	// Product is the id of the product that the request is about, 0 if there is none.
	Product int
}

// Plan is an endless sequence of requests that depends on its seed alone. It may be used by one goroutine at a time.
type Plan struct{ rand *rand.Rand }

// NewPlan returns the plan for a seed.
func NewPlan(seed uint64) *Plan { return &Plan{rand.New(rand.NewPCG(seed, 0))} }

// unknownProduct is the id of no product.
const unknownProduct = 999_999

// Next returns the next request.
func (p *Plan) Next() Request {
	switch n := p.rand.IntN(100); {
	case n < 40:
		r := Request{Method: http.MethodGet, Route: "GET /products/{id}", Status: http.StatusOK, Product: p.product()}
		if p.oneIn(20) {
			r.Product, r.Status = unknownProduct, http.StatusNotFound
		}
		r.Path = fmt.Sprintf("/products/%d", r.Product)
		return r
	case n < 55:
		category := shop.Categories[p.rand.IntN(len(shop.Categories))]
		return Request{Method: http.MethodGet, Path: "/categories/" + category, Route: "GET /categories/{name}", Status: http.StatusOK}
	case n < 70:
		words := []string{"book", "lamp", "no. 1", "tea"}
		query := url.Values{"q": {words[p.rand.IntN(len(words))]}}
		return Request{Method: http.MethodGet, Path: "/search?" + query.Encode(), Route: "GET /search", Status: http.StatusOK}
	case n < 85:
		return Request{Method: http.MethodGet, Path: "/", Route: "GET /{$}", Status: http.StatusOK}
	case n < 97:
		return p.order()
	default:
		// No route matches, so that the span keeps the name that it started with.
		return Request{Method: http.MethodGet, Path: "/favicon.ico", Route: "GET", Status: http.StatusNotFound}
	}
}

func (p *Plan) order() Request {
	r := Request{Method: http.MethodPost, Path: "/orders", Route: "POST /orders", Status: http.StatusCreated, Product: p.product()}
	card := fmt.Sprintf("4000-%04d", 1000+p.rand.IntN(9000))
	switch {
	case p.oneIn(8):
		card, r.Status = shop.DeclinedCard, http.StatusPaymentRequired
	case p.oneIn(20):
		r.Product, r.Status = unknownProduct, http.StatusNotFound
	}
	r.Form = url.Values{"product": {fmt.Sprint(r.Product)}, "card": {card}}
	return r
}

func (p *Plan) product() int { return 1 + p.rand.IntN(len(shop.Categories)*shop.ProductsPerCategory) }

func (p *Plan) oneIn(n int) bool { return p.rand.IntN(n) == 0 }
