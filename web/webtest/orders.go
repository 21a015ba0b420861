package webtest

import (
	"context"
	"fmt"
	"slices"

	"signalbox"
)

// Order implements [signalbox.OrderService].
func (s *Services) Order(_ context.Context, id string) (signalbox.Order, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.Order{}, err
	}
	record, ok := s.orders[id]
	if !ok {
		return signalbox.Order{}, fmt.Errorf("order %q: %w", id, signalbox.ErrNotFound)
	}
	return record.Order, nil
}

// Orders implements [signalbox.OrderService].
func (s *Services) Orders(_ context.Context, ownerID string) ([]signalbox.Order, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	var list []signalbox.Order
	for _, record := range s.orders {
		if record.OwnerID == ownerID {
			list = append(list, record.Order)
		}
	}
	slices.SortFunc(list, func(a, b signalbox.Order) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	return list, nil
}

// History implements [signalbox.OrderService].
func (s *Services) History(_ context.Context, id string, limit int) ([]signalbox.OrderEvent, int, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, 0, err
	}
	record, ok := s.orders[id]
	if !ok {
		return nil, 0, fmt.Errorf("order %q: %w", id, signalbox.ErrNotFound)
	}
	kept := record.events[max(0, len(record.events)-signalbox.MaxOrderHistory):]
	return slices.Clone(kept[max(0, len(kept)-max(limit, 0)):]), len(kept), nil
}

// ChangeOrder implements [signalbox.OrderService].
func (s *Services) ChangeOrder(_ context.Context, c signalbox.OrderChange) (before, after signalbox.Order, err error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return before, after, err
	}
	if err := c.Validate(); err != nil {
		return before, after, err
	}
	record, ok := s.orders[c.ID]
	if !ok && !c.If.Holds(0) || ok && !c.If.Holds(record.Version) {
		return before, after, fmt.Errorf("order %q: %w", c.ID, signalbox.ErrPrecondition)
	}
	switch {
	case ok && c.OwnerID != "" && c.OwnerID != record.OwnerID:
		return before, after, fmt.Errorf("order %q: %w", c.ID, signalbox.ErrConflict)
	case ok:
		before, after = record.Order, record.Order
	case c.OwnerID == "":
		return before, after, &signalbox.InvalidError{Field: "owner", Reason: "must be given to make an order"}
	default:
		if _, known := s.users[c.OwnerID]; !known {
			return before, after, &signalbox.InvalidError{Field: "owner", Reason: "does not exist"}
		}
		after = signalbox.Order{ID: c.ID, OwnerID: c.OwnerID, Status: signalbox.StatusPending, CreatedAt: s.now()}
		record = &orderRecord{}
	}
	if c.Status != nil {
		after.Status = *c.Status
	}
	if c.Progress != nil {
		after.Progress = *c.Progress
	}
	if c.Message != nil {
		after.Message = *c.Message
	}
	if after == before {
		return before, after, nil
	}
	after.Version++
	after.UpdatedAt = s.now()
	record.Order = after
	record.events = append(record.events, signalbox.OrderEvent{
		Version: after.Version, Status: after.Status, Progress: after.Progress, Message: after.Message, At: after.UpdatedAt,
	})
	s.orders[c.ID] = record
	return before, after, nil
}

// OrdersNeedingUpdates implements [signalbox.OrderService]; nothing is announced here.
func (s *Services) OrdersNeedingUpdates(context.Context, int) ([]signalbox.Order, error) {
	defer s.mu.Unlock()
	return nil, s.begin()
}

// AnnounceOrder implements [signalbox.OrderService]; nothing is announced here.
func (s *Services) AnnounceOrder(
	context.Context, signalbox.Order, signalbox.NotificationMessage,
) (n signalbox.Notification, ok bool, err error) {
	defer s.mu.Unlock()
	return n, false, s.begin()
}

// TransferOrder implements [signalbox.OrderService].
func (s *Services) TransferOrder(_ context.Context, id, ownerID string) (signalbox.Order, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.Order{}, err
	}
	record, ok := s.orders[id]
	if !ok {
		return signalbox.Order{}, fmt.Errorf("order %q: %w", id, signalbox.ErrNotFound)
	}
	if _, ok := s.users[ownerID]; !ok {
		return signalbox.Order{}, &signalbox.InvalidError{Field: "owner", Reason: "must exist"}
	}
	record.OwnerID = ownerID
	return record.Order, nil
}
