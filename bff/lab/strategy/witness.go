package strategy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"cloakroom/shared"
)

// VictimsOrders asks the API itself, with a token nobody else has, so that no
// verdict rests on what the attacked application shows.
func (w *World) VictimsOrders(ctx context.Context) ([]shared.Order, error) {
	now := time.Now()
	token, err := w.idp.Sign("at+jwt", map[string]any{
		"iss": w.Issuer(), "aud": w.API(), "sub": Victim.Subject, "client_id": "lab-witness", "jti": "witness",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "scope": "orders",
	})
	if err != nil {
		return nil, fmt.Errorf("strategy: witness: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/orders?limit=%d", w.API(), shared.MaxPageLimit), nil)
	if err != nil {
		return nil, fmt.Errorf("strategy: witness: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	transport := w.Transport()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("strategy: witness: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("strategy: witness: the API answered %d", resp.StatusCode)
	}
	var page shared.OrderPage
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		return nil, fmt.Errorf("strategy: witness: %w", err)
	}
	return page.Orders, nil
}
