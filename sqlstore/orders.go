package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"signalbox"
)

// orderRow is an order with what the table keeps besides.
type orderRow struct {
	signalbox.Order
	// statusVersion is the version that brought the status.
	statusVersion int64
}

const orderColumns = `o.id, o.owner_id, o.status, o.progress, o.message, o.version, o.status_version, o.created_at, o.updated_at`

func scanOrderRow(sc scanner) (orderRow, error) {
	var o orderRow
	var createdAt, updatedAt int64
	err := sc.Scan(&o.ID, &o.OwnerID, &o.Status, &o.Progress, &o.Message, &o.Version, &o.statusVersion, &createdAt, &updatedAt)
	o.CreatedAt, o.UpdatedAt = fromMicros(createdAt), fromMicros(updatedAt)
	return o, err
}

func scanOrder(sc scanner) (signalbox.Order, error) {
	o, err := scanOrderRow(sc)
	return o.Order, err
}

// getOrder returns the order with that id, or ErrNotFound.
func getOrder(ctx context.Context, q querier, id string) (orderRow, error) {
	o, err := scanOrderRow(q.QueryRowContext(ctx, `SELECT `+orderColumns+` FROM orders o WHERE o.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return orderRow{}, fmt.Errorf("order %q: %w", id, signalbox.ErrNotFound)
	}
	if err != nil {
		return orderRow{}, fmt.Errorf("reading order %q: %w", id, err)
	}
	return o, nil
}

// Order implements [signalbox.OrderService].
func (s *Store) Order(ctx context.Context, id string) (signalbox.Order, error) {
	o, err := getOrder(ctx, s.read, id)
	return o.Order, err
}

// Orders implements [signalbox.OrderService].
func (s *Store) Orders(ctx context.Context, ownerID string) ([]signalbox.Order, error) {
	orders, err := collect(ctx, s.read, scanOrder,
		`SELECT `+orderColumns+` FROM orders o WHERE o.owner_id = $1 ORDER BY o.updated_at DESC, o.id`, ownerID)
	if err != nil {
		return nil, fmt.Errorf("reading the orders of user %q: %w", ownerID, err)
	}
	return orders, nil
}

// History implements [signalbox.OrderService]. A limit of 0 or less returns none.
func (s *Store) History(ctx context.Context, id string, limit int) (latest []signalbox.OrderEvent, kept int, err error) {
	err = s.snapshot(ctx, func(q querier) (err error) {
		if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM order_events WHERE order_id = $1`, id).Scan(&kept); err != nil {
			return err
		}
		if kept == 0 { // An order has an event for its version.
			return signalbox.ErrNotFound
		}
		latest, err = collect(ctx, q, func(sc scanner) (e signalbox.OrderEvent, err error) {
			var at int64
			err = sc.Scan(&e.Version, &e.Status, &e.Progress, &e.Message, &at)
			e.At = fromMicros(at)
			return e, err
		}, `SELECT version, status, progress, message, created_at FROM order_events WHERE order_id = $1
			ORDER BY version DESC LIMIT $2`, id, max(limit, 0))
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading the history of order %q: %w", id, err)
	}
	slices.Reverse(latest)
	return latest, kept, nil
}

// ChangeOrder implements [signalbox.OrderService].
func (s *Store) ChangeOrder(ctx context.Context, c signalbox.OrderChange) (before, after signalbox.Order, err error) {
	if err := c.Validate(); err != nil {
		return signalbox.Order{}, signalbox.Order{}, err
	}
	var old, changed orderRow
	err = s.inTx(ctx, func(tx *tx) error {
		old, changed = orderRow{}, orderRow{}
		if err := s.lockName(ctx, tx, "order:"+c.ID); err != nil { // It may not exist yet.
			return err
		}
		old, err = getOrder(ctx, tx, c.ID)
		if err != nil && !errors.Is(err, signalbox.ErrNotFound) {
			return err
		}
		if !c.If.Holds(old.Version) {
			return fmt.Errorf("it is at version %d: %w", old.Version, signalbox.ErrPrecondition)
		}
		switch {
		case err != nil:
			changed, err = newOrder(ctx, tx, c)
			if err != nil {
				return err
			}
		case c.OwnerID != "" && c.OwnerID != old.OwnerID:
			return fmt.Errorf("it has another owner: %w", signalbox.ErrConflict)
		default:
			changed = old
		}
		applyChange(&changed, c)
		if changed == old {
			return nil
		}
		changed.Version++
		changed.UpdatedAt = now()
		if changed.Status != old.Status {
			changed.statusVersion = changed.Version
		}
		if changed.Version == 1 {
			changed.CreatedAt = changed.UpdatedAt
		}
		return storeOrder(ctx, tx, old, changed)
	})
	if err != nil {
		return signalbox.Order{}, signalbox.Order{}, fmt.Errorf("changing order %q: %w", c.ID, err)
	}
	return old.Order, changed.Order, nil
}

// newOrder is the order that c makes, before its fields are applied and before it is stored.
func newOrder(ctx context.Context, tx *tx, c signalbox.OrderChange) (orderRow, error) {
	if c.OwnerID == "" {
		return orderRow{}, &signalbox.InvalidError{Field: "owner", Reason: "must be given for a new order"}
	}
	if err := requireOwner(ctx, tx, c.OwnerID); err != nil {
		return orderRow{}, err
	}
	return orderRow{Order: signalbox.Order{ID: c.ID, OwnerID: c.OwnerID, Status: signalbox.StatusPending}}, nil
}

func applyChange(o *orderRow, c signalbox.OrderChange) {
	if c.Status != nil {
		o.Status = *c.Status
	}
	if c.Progress != nil {
		o.Progress = *c.Progress
	}
	if c.Message != nil {
		o.Message = *c.Message
	}
}

// storeOrder writes a version of an order, its place in the history, and the event that tells of it.
func storeOrder(ctx context.Context, tx *tx, before, o orderRow) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO orders (id, owner_id, status, progress, message, version, status_version, announced_version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)
		ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id, status = excluded.status, progress = excluded.progress, message = excluded.message,
			version = excluded.version, status_version = excluded.status_version, updated_at = excluded.updated_at`,
		o.ID, o.OwnerID, string(o.Status), o.Progress, o.Message, o.Version, o.statusVersion, o.CreatedAt.UnixMicro(), o.UpdatedAt.UnixMicro())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO order_events (order_id, version, status, status_version, progress, message, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		o.ID, o.Version, string(o.Status), o.statusVersion, o.Progress, o.Message, o.UpdatedAt.UnixMicro())
	if err != nil {
		return err
	}
	if o.Version > signalbox.MaxOrderHistory {
		_, err = tx.ExecContext(ctx, `DELETE FROM order_events WHERE order_id = $1 AND version <= $2`,
			o.ID, o.Version-signalbox.MaxOrderHistory)
		if err != nil {
			return err
		}
	}
	if before.OwnerID != "" && before.OwnerID != o.OwnerID {
		return addEvent(ctx, tx, signalbox.Event{UserID: before.OwnerID, Access: true, Lost: o.ID})
	}
	return addEvent(ctx, tx, signalbox.Event{
		UserID: o.OwnerID, Order: &signalbox.OrderUpdate{Before: before.Order, After: o.Order},
	})
}

// TransferOrder implements [signalbox.OrderService]. To give an order to the owner that it has changes nothing.
func (s *Store) TransferOrder(ctx context.Context, id, ownerID string) (signalbox.Order, error) {
	var changed orderRow
	err := s.inTx(ctx, func(tx *tx) (err error) {
		changed, err = s.transfer(ctx, tx, id, ownerID)
		return err
	})
	if err != nil {
		return signalbox.Order{}, fmt.Errorf("giving order %q to another owner: %w", id, err)
	}
	return changed.Order, nil
}

// transfer gives an order to another owner and returns it as it is then.
func (s *Store) transfer(ctx context.Context, tx *tx, id, ownerID string) (orderRow, error) {
	if err := s.lockName(ctx, tx, "order:"+id); err != nil {
		return orderRow{}, err
	}
	old, err := getOrder(ctx, tx, id)
	if err != nil || old.OwnerID == ownerID {
		return old, err
	}
	if err := requireOwner(ctx, tx, ownerID); err != nil {
		return orderRow{}, err
	}
	changed := old
	changed.OwnerID = ownerID
	changed.Version++
	changed.UpdatedAt = now()
	return changed, storeOrder(ctx, tx, old, changed)
}

// requireOwner fails with an InvalidError when there is no such user.
func requireOwner(ctx context.Context, tx *tx, id string) error {
	_, err := getUser(ctx, tx, id)
	if errors.Is(err, signalbox.ErrNotFound) {
		return &signalbox.InvalidError{Field: "owner", Reason: fmt.Sprintf("must exist: there is no user %q", id)}
	}
	return err
}

// OrdersNeedingUpdates implements [signalbox.OrderService]. An order whose owner was never told of any status needs it.
func (s *Store) OrdersNeedingUpdates(ctx context.Context, limit int) ([]signalbox.Order, error) {
	orders, err := collect(ctx, s.read, scanOrder, `
		SELECT `+orderColumns+` FROM orders o WHERE o.announced_version < o.status_version
		ORDER BY (
			SELECT MIN(e.created_at) FROM order_events e
			WHERE e.order_id = o.id AND e.status_version > o.announced_version
		), o.id LIMIT $1`, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the orders whose status is to be announced: %w", err)
	}
	return orders, nil
}

// AnnounceOrder implements [signalbox.OrderService]. It fails with ErrNotFound when the order never had that version.
func (s *Store) AnnounceOrder(ctx context.Context, o signalbox.Order, m signalbox.NotificationMessage) (n signalbox.Notification, ok bool, err error) {
	if err := m.Validate(); err != nil {
		return signalbox.Notification{}, false, err
	}
	err = s.inTx(ctx, func(tx *tx) error {
		n, ok = signalbox.Notification{}, false
		// Versions that only move the progress share a status. What is announced is the version that brought it, so that
		// two workers who saw the order at different progress do not announce it twice.
		var statusVersion int64
		err := tx.QueryRowContext(ctx, `SELECT status_version FROM order_events WHERE order_id = $1 AND version = $2`,
			o.ID, o.Version).Scan(&statusVersion)
		if errors.Is(err, sql.ErrNoRows) {
			return signalbox.ErrNotFound
		}
		if err != nil {
			return err
		}
		// Whose it is must be asked of the row that is locked: it may just have been given to somebody else.
		var owner string
		err = tx.QueryRowContext(ctx, `
			UPDATE orders SET announced_version = $1 WHERE id = $2 AND announced_version < $3 RETURNING owner_id`,
			statusVersion, o.ID, statusVersion).Scan(&owner)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		n, err = storeInInbox(ctx, tx, owner, "", m, now())
		return err
	})
	if err != nil {
		return signalbox.Notification{}, false, fmt.Errorf("announcing version %d of order %q: %w", o.Version, o.ID, err)
	}
	return n, ok, nil
}
