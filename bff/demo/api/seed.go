package api

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cloakroom/shared"
)

// seedOrders makes n orders, oldest first, the same for a subject every time
// but for the day they end on: the newest is a few hours old at now.
func seedOrders(subject string, n int, now time.Time) []shared.Order {
	sum := sha256.Sum256([]byte(subject))
	random := rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
	orders := make([]shared.Order, n)
	created := now
	for i := range orders {
		created = created.Add(-time.Hour - time.Duration(random.IntN(8*3600))*time.Second)
		id := sha256.Sum256(fmt.Appendf(nil, "%s %d", subject, i))
		orders[i] = shared.Order{
			ID: hex.EncodeToString(id[:8]), Item: seedItem(random), Quantity: seedQuantity(random), Created: created.Unix(),
		}
	}
	slices.Reverse(orders)
	return orders
}

func seedItem(random *rand.Rand) string {
	materials := [...]string{"Ash", "Bamboo", "Beech", "Brass", "Canvas", "Cedar", "Ceramic", "Copper", "Cork", "Felt",
		"Glass", "Leather", "Linen", "Oak", "Slate", "Steel", "Walnut", "Wool"}
	things := [...]string{"coat hook", "coat stand", "hat rack", "shoe bench", "umbrella stand", "garment bag", "key tray",
		"number tag", "ticket box", "desk lamp", "wall mirror", "boot brush", "scarf hanger", "glove drawer", "floor mat",
		"bell", "counter stool", "luggage rack", "clothes brush", "storage basket"}
	variants := [...]string{"", "", "", ", small", ", large", ", pair", ", set of six", ", dark green", ", natural", ", black"}
	return materials[random.IntN(len(materials))] + " " + things[random.IntN(len(things))] + variants[random.IntN(len(variants))]
}

// seedQuantity is one or two as a rule, a crate now and then.
func seedQuantity(random *rand.Rand) int {
	switch roll := random.IntN(20); {
	case roll < 13:
		return 1 + random.IntN(2)
	case roll < 19:
		return 3 + random.IntN(10)
	}
	return 24 * (1 + random.IntN(10))
}
