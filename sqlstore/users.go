package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox"
)

// CreateUser implements [signalbox.UserService].
func (s *Store) CreateUser(ctx context.Context, name, password string, roles ...string) (signalbox.User, error) {
	if err := signalbox.ValidateName("name", name); err != nil {
		return signalbox.User{}, err
	}
	if err := signalbox.ValidatePassword(password); err != nil {
		return signalbox.User{}, err
	}
	roles, err := checkRoles(roles)
	if err != nil {
		return signalbox.User{}, err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return signalbox.User{}, err
	}
	u := signalbox.User{ID: strings.ToLower(name), Name: name, Roles: roles, CreatedAt: now()}
	err = s.inTx(ctx, func(tx *tx) error {
		result, err := tx.ExecContext(ctx, `
			INSERT INTO users (id, name, password_hash, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO NOTHING`, u.ID, u.Name, hash, u.CreatedAt.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return signalbox.ErrConflict
		}
		for _, statement := range []string{
			// A user of that name who was removed may have left something to be sent. Events go on behind it.
			`INSERT INTO outbox_users (user_id) VALUES ($1) ON CONFLICT (user_id) DO UPDATE SET due_at = 0`,
			`INSERT INTO inboxes (user_id, last_sequence, last_event) SELECT id, 0, (
				SELECT COALESCE(MAX(e.position), 0) FROM (
					SELECT position FROM outbox WHERE user_id = $1 UNION ALL SELECT position FROM dead_letters WHERE user_id = $1
				) e
			) FROM users WHERE id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, u.ID); err != nil {
				return err
			}
		}
		return addRoles(ctx, tx, u.ID, u.Roles)
	})
	if err != nil {
		return signalbox.User{}, fmt.Errorf("creating user %q: %w", name, err)
	}
	return u, nil
}

// checkRoles returns the roles in order, each once.
func checkRoles(roles []string) ([]string, error) {
	roles = slices.Compact(slices.Sorted(slices.Values(roles)))
	for _, role := range roles {
		if err := signalbox.ValidateName("roles", role); err != nil {
			return nil, err
		}
	}
	return roles, nil
}

func addRoles(ctx context.Context, tx *tx, userID string, roles []string) error {
	for _, role := range roles {
		if _, err := tx.ExecContext(ctx, `INSERT INTO user_roles (user_id, role) VALUES ($1, $2)`, userID, role); err != nil {
			return err
		}
	}
	return nil
}

// SetRoles implements [signalbox.UserService].
func (s *Store) SetRoles(ctx context.Context, id string, roles ...string) (signalbox.User, error) {
	roles, err := checkRoles(roles)
	if err != nil {
		return signalbox.User{}, err
	}
	var u signalbox.User
	err = s.inTx(ctx, func(tx *tx) error {
		if err := lockInbox(ctx, tx, id); err != nil { // Two who set the roles take turns.
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM user_roles WHERE user_id = $1`, id); err != nil {
			return err
		}
		if err := addRoles(ctx, tx, id, roles); err != nil {
			return err
		}
		if u, err = getUser(ctx, tx, id); err != nil {
			return err
		}
		return addEvent(ctx, tx, signalbox.Event{UserID: id, Access: true})
	})
	if err != nil {
		return signalbox.User{}, fmt.Errorf("setting the roles of user %q: %w", id, err)
	}
	return u, nil
}

// User implements [signalbox.UserService].
func (s *Store) User(ctx context.Context, id string) (signalbox.User, error) {
	return getUser(ctx, s.read, id)
}

// SignOut implements [signalbox.UserService].
func (s *Store) SignOut(ctx context.Context, id string) error {
	err := s.inTx(ctx, func(tx *tx) error {
		if err := lockInbox(ctx, tx, id); err != nil {
			return err
		}
		return addEvent(ctx, tx, signalbox.Event{UserID: id, SignedOut: true})
	})
	if err != nil {
		return fmt.Errorf("signing user %q out: %w", id, err)
	}
	return nil
}

// Authenticate implements [signalbox.UserService].
func (s *Store) Authenticate(ctx context.Context, name, password string) (signalbox.User, error) {
	// Neither can be anybody's. How long that takes says nothing about who exists.
	if signalbox.ValidateName("name", name) != nil || signalbox.ValidatePassword(password) != nil {
		return signalbox.User{}, signalbox.ErrUnauthenticated
	}
	id := strings.ToLower(name)
	var hash string
	err := s.read.QueryRowContext(ctx, `SELECT password_hash FROM users WHERE id = $1`, id).Scan(&hash)
	known := !errors.Is(err, sql.ErrNoRows)
	if !known {
		hash = s.passwords.nobody
	} else if err != nil {
		return signalbox.User{}, fmt.Errorf("reading user %q: %w", id, err)
	}
	right, err := s.passwords.verify(ctx, hash, password)
	if err != nil {
		return signalbox.User{}, fmt.Errorf("verifying the password of user %q: %w", id, err)
	}
	if !known || !right {
		return signalbox.User{}, signalbox.ErrUnauthenticated
	}
	return s.User(ctx, id)
}

// getUser returns the user with that id, or ErrNotFound.
func getUser(ctx context.Context, q querier, id string) (signalbox.User, error) {
	users, err := selectUsers(ctx, q, `WHERE u.id = $1`, id)
	if err != nil {
		return signalbox.User{}, fmt.Errorf("reading user %q: %w", id, err)
	}
	if len(users) == 0 {
		return signalbox.User{}, fmt.Errorf("user %q: %w", id, signalbox.ErrNotFound)
	}
	return users[0], nil
}

// selectUsers returns the users u that the end of the query names, with their roles, in order of id.
func selectUsers(ctx context.Context, q querier, where string, args ...any) ([]signalbox.User, error) {
	type row struct {
		user signalbox.User
		role sql.Null[string]
	}
	rows, err := collect(ctx, q, func(sc scanner) (r row, err error) {
		var createdAt int64
		err = sc.Scan(&r.user.ID, &r.user.Name, &createdAt, &r.role)
		r.user.CreatedAt = fromMicros(createdAt)
		return r, err
	}, `SELECT u.id, u.name, u.created_at, r.role
		FROM users u LEFT JOIN user_roles r ON r.user_id = u.id `+where+` ORDER BY u.id`, args...)
	if err != nil {
		return nil, err
	}
	var users []signalbox.User
	for _, r := range rows {
		if len(users) == 0 || users[len(users)-1].ID != r.user.ID {
			users = append(users, r.user)
		}
		if r.role.Valid {
			last := &users[len(users)-1]
			last.Roles = append(last.Roles, r.role.V)
		}
	}
	for _, u := range users {
		slices.Sort(u.Roles) // Here, because databases differ in how they order text.
	}
	slices.SortFunc(users, func(a, b signalbox.User) int { return strings.Compare(a.ID, b.ID) })
	return users, nil
}
