package main

// site is a place of the shop that starts spans, with the labels by which code that was instrumented by hand would
// count them.
type site struct {
	track, name, kind, status string
	number                    siteNumber
}

type siteNumber int

const (
	getCart siteNumber = iota
	getProduct
	postOrder
	chargePayment
	authorize
	loadSession
	loadCart
	priceCart
	loadProduct
	recommend
	validateOrder
	placeOrder
	reserveStock
	publish
	cacheGet
	selectUser
	selectCart
	selectProduct
	selectNeighbours
	selectStock
	updateStock
	insertOrder
	siteCount
)

var sites = [siteCount]site{
	getCart:          {"http", "GET /cart", "server", "ok", getCart},
	getProduct:       {"http", "GET /products/{id}", "server", "ok", getProduct},
	postOrder:        {"http", "POST /orders", "server", "ok", postOrder},
	chargePayment:    {"http", "POST /charges", "client", "ok", chargePayment},
	authorize:        {"shop", "authorize", "internal", "ok", authorize},
	loadSession:      {"shop", "load session", "internal", "ok", loadSession},
	loadCart:         {"shop", "load cart", "internal", "ok", loadCart},
	priceCart:        {"shop", "price cart", "internal", "ok", priceCart},
	loadProduct:      {"shop", "load product", "internal", "ok", loadProduct},
	recommend:        {"shop", "recommend", "internal", "ok", recommend},
	validateOrder:    {"shop", "validate order", "internal", "ok", validateOrder},
	placeOrder:       {"shop", "place order", "internal", "ok", placeOrder},
	reserveStock:     {"shop", "reserve stock", "internal", "ok", reserveStock},
	publish:          {"shop", "publish order", "producer", "ok", publish},
	cacheGet:         {"db", "GET session", "client", "ok", cacheGet},
	selectUser:       {"db", "SELECT users", "client", "ok", selectUser},
	selectCart:       {"db", "SELECT carts", "client", "ok", selectCart},
	selectProduct:    {"db", "SELECT products", "client", "ok", selectProduct},
	selectNeighbours: {"db", "SELECT neighbours", "client", "ok", selectNeighbours},
	selectStock:      {"db", "SELECT stock", "client", "ok", selectStock},
	updateStock:      {"db", "UPDATE stock", "client", "ok", updateStock},
	insertOrder:      {"db", "INSERT orders", "client", "ok", insertOrder},
}
