package postgres

import "context"

// Sweep is what Run does when it is time.
func (s *Store) Sweep(ctx context.Context) (int64, error) { return s.sweep(ctx) }
