package sqlstore

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/alexedwards/scs/v2"

	"signalbox"
)

// Users implements [signalbox.Administration].
func (s *Store) Users(ctx context.Context) ([]signalbox.User, error) {
	users, err := selectUsers(ctx, s.read, ``)
	if err != nil {
		return nil, fmt.Errorf("reading the users: %w", err)
	}
	return users, nil
}

// SetPassword implements [signalbox.Administration].
func (s *Store) SetPassword(ctx context.Context, id, password string) error {
	if err := signalbox.ValidatePassword(password); err != nil {
		return err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx *tx) error {
		if err := lockInbox(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = $1 WHERE id = $2`, hash, id); err != nil {
			return err
		}
		if err := endSessions(ctx, tx, id); err != nil {
			return err
		}
		return addEvent(ctx, tx, signalbox.Event{UserID: id, SignedOut: true})
	})
	if err != nil {
		return fmt.Errorf("setting the password of user %q: %w", id, err)
	}
	return nil
}

// RemoveUser implements [signalbox.Administration].
func (s *Store) RemoveUser(ctx context.Context, id, ordersTo string) error {
	if ordersTo == id {
		return &signalbox.InvalidError{Field: "new owner", Reason: "must be somebody else"}
	}
	err := s.inTx(ctx, func(tx *tx) error {
		if err := s.giveOrders(ctx, tx, id, ordersTo); err != nil {
			return err
		}
		if err := lockInbox(ctx, tx, id); err != nil {
			return err
		}
		if err := endSessions(ctx, tx, id); err != nil {
			return err
		}
		// Nobody is left to be shown what is in the outbox. Only that it is over is to be told.
		for _, table := range []string{"outbox", "dead_letters"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, id); err != nil {
				return err
			}
		}
		if err := addEvent(ctx, tx, signalbox.Event{UserID: id, SignedOut: true}); err != nil {
			return err
		}
		for _, table := range []string{"user_roles", "subscriptions", "notifications", "inboxes"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, id); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing user %q: %w", id, err)
	}
	return nil
}

// giveOrders gives all orders of a user to another; without another it fails with ErrConflict if there are any.
func (s *Store) giveOrders(ctx context.Context, tx *tx, from, to string) error {
	if _, err := getUser(ctx, tx, from); err != nil {
		return err
	}
	if to != "" {
		if err := requireOwner(ctx, tx, to); err != nil {
			return err
		}
	}
	orders, err := collect(ctx, tx, scanText, `SELECT id FROM orders WHERE owner_id = $1 ORDER BY id`, from)
	if err != nil || len(orders) == 0 {
		return err
	}
	if to == "" {
		return fmt.Errorf("there are %d orders of this user: %w", len(orders), signalbox.ErrConflict)
	}
	// All names before the first inbox, as whoever changes one order locks its name first.
	for _, order := range orders {
		if err := s.lockName(ctx, tx, "order:"+order); err != nil {
			return err
		}
	}
	for _, order := range orders {
		if _, err := s.transfer(ctx, tx, order, to); err != nil {
			return err
		}
	}
	return nil
}

// endSessions removes the sign-in sessions of a user.
func endSessions(ctx context.Context, tx *tx, userID string) error {
	type session struct{ hash, data string }
	sessions, err := collect(ctx, tx, func(sc scanner) (one session, err error) {
		err = sc.Scan(&one.hash, &one.data)
		return one, err
	}, `SELECT token_hash, data FROM sessions WHERE expires_at > $1`, now().UnixMicro())
	if err != nil {
		return err
	}
	for _, one := range sessions {
		data, err := base64.StdEncoding.DecodeString(one.data)
		if err != nil {
			continue // Who cannot be read as anybody's session is signed in as nobody.
		}
		if _, values, err := (scs.GobCodec{}).Decode(data); err != nil || values[signalbox.SessionUserKey] != userID {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = $1`, one.hash); err != nil {
			return err
		}
	}
	return nil
}
