package shared

// Order is one row of the demo API.
type Order struct {
	ID       string `json:"id"`
	Item     string `json:"item"`
	Quantity int    `json:"quantity"`
	Created  int64  `json:"created"` // Unix seconds
}

// NewOrder is what POST /orders takes. Item has 1 to MaxOrderItem characters,
// Quantity is 1 to MaxOrderQuantity.
type NewOrder struct {
	Item     string `json:"item"`
	Quantity int    `json:"quantity"`
}

// Bounds of an order.
const (
	MaxOrderItem     = 120
	MaxOrderQuantity = 999
)

// OrderPage answers GET /orders?offset=&limit=, newest first.
type OrderPage struct {
	Orders []Order `json:"orders"`
	Offset int     `json:"offset"`
	Limit  int     `json:"limit"`
	Total  int     `json:"total"`
}

// DefaultPageLimit rows come in a page unless limit says otherwise; no page is
// longer than MaxPageLimit.
const (
	DefaultPageLimit = 20
	MaxPageLimit     = 200
)
