package demo

import "time"

// operation is what a service does in one span.
type operation struct {
	service, scope, name string
	kind                 kind
	function, file       string
	line                 int
	attributes           []attribute
	// work is the median of the time it takes itself, spread as a log-normal distribution by factor: 68 % of it are
	// within work/factor and work·factor.
	work   time.Duration
	factor float64
	// failing is the share of errors.
	failing float64
	calls   []call
}

// call is what an operation calls, in turn or at once.
type call struct {
	to *operation
	// least and most are how often; share is with which probability at all.
	least, most int
	share       float64
	// together: at the same time as the other calls that are together, and as its own repetitions.
	together bool
}

type attribute struct {
	key string
	// values are the texts that it can have; numbers from 0 to below upTo if there are none.
	values []string
	upTo   int64
}

type kind int32

const (
	internal kind = 1 + iota
	server
	client
	producer
	consumer
)

// client returns the span in which a service calls an operation of another one.
func (o *operation) calledBy(service, scope string, attributes ...attribute) *operation {
	return &operation{
		service: service, scope: scope, name: o.name, kind: client, work: 300 * time.Microsecond, factor: 1.3,
		attributes: attributes, calls: []call{{to: o, least: 1, most: 1, share: 1}},
	}
}

var (
	methods = attribute{key: "http.request.method", values: []string{"GET"}}
	posts   = attribute{key: "http.request.method", values: []string{"POST"}}
	status  = attribute{key: "http.response.status_code", values: []string{"200"}}
	users   = attribute{key: "user.id", upTo: 5000}
	skus    = attribute{key: "app.product.id", upTo: 800}
	pods    = attribute{key: "server.address", values: []string{"10.8.0.12", "10.8.0.17", "10.8.1.3"}}
	sql     = attribute{key: "db.system.name", values: []string{"postgresql"}}
	redis   = attribute{key: "db.system.name", values: []string{"redis"}}
)

const (
	httpScope  = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	grpcScope  = "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	sqlScope   = "github.com/XSAM/otelsql"
	jsScope    = "@opentelemetry/instrumentation-http"
	redisScope = "@opentelemetry/instrumentation-ioredis"
	pyScope    = "opentelemetry.instrumentation.fastapi"
)

func query(service, name string, work time.Duration, factor float64) *operation {
	return &operation{
		service: service, scope: sqlScope, name: name, kind: client, work: work, factor: factor, failing: 0.001,
		attributes: []attribute{sql, pods, {key: "db.query.summary", values: []string{name}}, {key: "db.response.returned_rows", upTo: 200}},
	}
}

// entrances are the requests that come from outside, each with its weight. The shop has an N+1 query, calls at the same time,
// a slow tail and errors, which is what one looks for in a profile.
func entrances() []entrance {
	stock := query("catalog", "SELECT stock", 900*time.Microsecond, 1.6)
	products := query("catalog", "SELECT products", 2500*time.Microsecond, 1.8)
	list := &operation{
		service: "catalog", scope: grpcScope, name: "shop.Catalog/List", kind: server, work: 700 * time.Microsecond, factor: 1.5,
		function: "shop/catalog.(*Server).List", file: "/src/catalog/server.go", line: 41,
		attributes: []attribute{{key: "rpc.system.name", values: []string{"grpc"}}, pods, {key: "app.page", upTo: 9}},
		calls:      []call{{to: products, least: 1, most: 1, share: 1}, {to: stock, least: 8, most: 12, share: 0.5}}, // N+1
	}
	cached := &operation{
		service: "cart", scope: redisScope, name: "hgetall", kind: client, work: 400 * time.Microsecond, factor: 1.9,
		attributes: []attribute{redis, pods, {key: "db.query.text", values: []string{"hgetall cart:?"}}, users},
	}
	cart := &operation{
		service: "cart", scope: jsScope, name: "GET /carts/{id}", kind: server, work: 1200 * time.Microsecond, factor: 1.7, failing: 0.004,
		attributes: []attribute{methods, status, {key: "http.route", values: []string{"/carts/{id}"}}, users, pods},
		calls:      []call{{to: cached, least: 1, most: 2, share: 1}},
	}
	price := &operation{
		service: "pricing", scope: pyScope, name: "POST /quotes", kind: server, work: 3 * time.Millisecond, factor: 2.6, failing: 0.01,
		function: "pricing.quotes.quote", file: "/app/pricing/quotes.py", line: 88,
		attributes: []attribute{posts, status, {key: "http.route", values: []string{"/quotes"}}, skus, {key: "app.currency", values: []string{"EUR", "USD", "JPY"}}},
	}
	charge := &operation{
		service: "payment", scope: grpcScope, name: "shop.Payment/Charge", kind: server, work: 9 * time.Millisecond, factor: 2.2, failing: 0.03,
		function: "shop/payment.(*Server).Charge", file: "/src/payment/charge.go", line: 120,
		attributes: []attribute{{key: "rpc.system.name", values: []string{"grpc"}}, users, {key: "app.amount", upTo: 90000}},
		calls:      []call{{to: query("payment", "INSERT payment", 1800*time.Microsecond, 1.4), least: 1, most: 1, share: 1}},
	}
	mail := &operation{
		service: "mail", scope: "shop/mail", name: "orders process", kind: consumer, work: 5 * time.Millisecond, factor: 1.8,
		attributes: []attribute{{key: "messaging.system", values: []string{"kafka"}}, {key: "messaging.message.body.size", upTo: 9000}},
	}
	published := &operation{
		service: "checkout", scope: "shop/checkout", name: "orders send", kind: producer, work: 500 * time.Microsecond, factor: 1.4,
		attributes: []attribute{{key: "messaging.system", values: []string{"kafka"}}, {key: "messaging.destination.name", values: []string{"orders"}}},
		calls:      []call{{to: mail, least: 1, most: 1, share: 1}},
	}
	checkout := &operation{
		service: "checkout", scope: httpScope, name: "POST /orders", kind: server, work: 1500 * time.Microsecond, factor: 1.5, failing: 0.005,
		function: "shop/checkout.(*Handler).Order", file: "/src/checkout/order.go", line: 57,
		attributes: []attribute{posts, status, {key: "http.route", values: []string{"/orders"}}, users},
		calls: []call{
			{to: cart.calledBy("checkout", httpScope, methods, pods), least: 1, most: 1, share: 1},
			{to: price.calledBy("checkout", httpScope, posts, pods), least: 1, most: 4, share: 1, together: true},
			{to: charge.calledBy("checkout", grpcScope, pods), least: 1, most: 1, share: 1},
			{to: published, least: 1, most: 1, share: 1},
		},
	}
	render := &operation{
		service: "web", scope: "shop/web", name: "render", kind: internal, work: 2 * time.Millisecond, factor: 1.4,
		function: "shop/web.render", file: "/src/web/render.go", line: 19, attributes: []attribute{{key: "app.template", values: []string{"page.html"}}},
	}
	page := func(name, function string, line int, calls ...call) *operation {
		return &operation{
			service: "web", scope: httpScope, name: name, kind: server, work: 800 * time.Microsecond, factor: 1.4, failing: 0.002,
			function: function, file: "/src/web/pages.go", line: line, calls: append(calls, call{to: render, least: 1, most: 1, share: 1}),
			attributes: []attribute{methods, status, {key: "http.route", values: []string{name}}, users, {key: "user_agent.original", values: []string{"Mozilla/5.0"}}},
		}
	}
	return []entrance{
		{70, page("GET /", "shop/web.home", 30, call{to: list.calledBy("web", grpcScope, pods), least: 1, most: 1, share: 1})},
		{20, page("GET /cart", "shop/web.cart", 52, call{to: cart.calledBy("web", httpScope, methods, pods), least: 1, most: 1, share: 1},
			call{to: list.calledBy("web", grpcScope, pods), least: 1, most: 1, share: 0.3, together: true})},
		{10, page("POST /checkout", "shop/web.checkout", 75, call{to: checkout.calledBy("web", httpScope, posts, pods), least: 1, most: 1, share: 1})},
	}
}

// entrance is an operation that is called from outside.
type entrance struct {
	weight int
	to     *operation
}
