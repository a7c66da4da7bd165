package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"cloakroom/shared"
)

// maxOrders is how many orders one subject may have.
const maxOrders = 10_000

var (
	errNoOrder    = errors.New("api: no such order")
	errLedgerFull = errors.New("api: the subject has too many orders")
)

// ledger keeps every subject's orders, oldest first. What one subject owns,
// another cannot name.
type ledger struct {
	mu       sync.RWMutex
	accounts map[string][]shared.Order
}

func newLedger(seed map[string]int, now time.Time) *ledger {
	l := &ledger{accounts: map[string][]shared.Order{}}
	for subject, n := range seed {
		l.accounts[subject] = seedOrders(subject, n, now)
	}
	return l
}

// page returns at most limit orders, newest first, and how many there are.
// It is never nil: the answer's JSON is an array.
func (l *ledger) page(subject string, offset, limit int) ([]shared.Order, int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	orders := l.accounts[subject]
	end := max(0, len(orders)-offset)
	page := slices.Clone(orders[max(0, end-limit):end])
	slices.Reverse(page)
	if page == nil {
		page = []shared.Order{}
	}
	return page, len(orders)
}

func (l *ledger) find(subject, id string) (shared.Order, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	orders := l.accounts[subject]
	if i := indexOf(orders, id); i >= 0 {
		return orders[i], nil
	}
	return shared.Order{}, errNoOrder
}

func (l *ledger) add(subject string, order shared.NewOrder, now time.Time) (shared.Order, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.accounts[subject]) >= maxOrders {
		return shared.Order{}, errLedgerFull
	}
	added := shared.Order{ID: newOrderID(), Item: order.Item, Quantity: order.Quantity, Created: now.Unix()}
	l.accounts[subject] = append(l.accounts[subject], added)
	return added, nil
}

func (l *ledger) remove(subject, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	orders := l.accounts[subject]
	i := indexOf(orders, id)
	if i < 0 {
		return errNoOrder
	}
	l.accounts[subject] = slices.Delete(orders, i, i+1)
	return nil
}

func indexOf(orders []shared.Order, id string) int {
	return slices.IndexFunc(orders, func(o shared.Order) bool { return o.ID == id })
}

// newOrderID returns 64 random bits in hex.
func newOrderID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
