package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"signalbox"
)

var errNotYet = errors.New("Redis was not reached yet")

// ask gives the client to question, within the time-out, unless Redis is known to be away.
func (r *Redis) ask(ctx context.Context, question func(context.Context, rueidis.Client) error) error {
	r.mu.Lock()
	c, away, closed := r.client, r.away, r.closed
	r.mu.Unlock()
	switch {
	case closed:
		return errClosed
	case away != nil:
		return partial(away)
	case c == nil:
		return partial(errNotYet)
	}
	limit, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	err := question(limit, c)
	if err != nil && ctx.Err() == nil {
		signal(r.doubt)
	}
	return partial(err)
}

// UserConnections implements [signalbox.ConnectionTracker].
func (r *Redis) UserConnections(ctx context.Context, userID string) ([]string, error) {
	var others []string
	err := r.ask(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		others, err = r.scripts.user.Exec(ctx, c, []string{r.keys.nodes, r.keys.user + userID}, []string{r.node}).AsStrSlice()
		return err
	})
	r.mu.Lock()
	list := r.local.connections(userID)
	r.mu.Unlock()
	list = append(list, others...)
	slices.Sort(list)
	return slices.Compact(list), err
}

// IsUserOnline implements [signalbox.ConnectionTracker]. Of a user who is connected to this node it needs to ask nobody.
func (r *Redis) IsUserOnline(ctx context.Context, userID string) (bool, error) {
	r.mu.Lock()
	here := len(r.local.users[userID]) > 0
	r.mu.Unlock()
	if here {
		return true, nil
	}
	list, err := r.UserConnections(ctx, userID)
	return len(list) > 0, err
}

// Counts implements [signalbox.ConnectionTracker]. It clears up after dead nodes first if there are any.
func (r *Redis) Counts(ctx context.Context) (signalbox.PresenceCounts, error) {
	var counts signalbox.PresenceCounts
	err := r.ask(ctx, func(ctx context.Context, c rueidis.Client) error {
		for {
			reply, err := r.scripts.counts.Exec(ctx, c, []string{r.keys.nodes, r.keys.online}, []string{r.keys.connections}).AsIntSlice()
			switch {
			case err != nil:
				return err
			case len(reply) != 3:
				return fmt.Errorf("Redis counted %d things, want 3", len(reply))
			case reply[0] == 0:
				counts = signalbox.PresenceCounts{Users: int(reply[1]), Connections: int(reply[2])}
				return nil
			}
			if err := r.reapAll(ctx, c, ""); err != nil {
				return err
			}
		}
	})
	if err != nil {
		r.mu.Lock()
		counts = r.local.counts()
		r.mu.Unlock()
	}
	return counts, err
}

// OnlineUsers implements [signalbox.ConnectionTracker].
func (r *Redis) OnlineUsers(ctx context.Context, after string, limit int) ([]signalbox.OnlineUser, error) {
	var list []signalbox.OnlineUser
	err := r.ask(ctx, func(ctx context.Context, c rueidis.Client) error {
		for from := after; len(list) < limit; {
			want := limit - len(list)
			bound := "(" + from
			if from == "" {
				bound = "-"
			}
			reply, err := r.scripts.list.Exec(ctx, c, []string{r.keys.nodes, r.keys.online},
				[]string{r.keys.user, bound, strconv.Itoa(want)}).AsStrSlice()
			if err != nil {
				return err
			}
			seen, err := strconv.Atoi(reply[0])
			if err != nil {
				return fmt.Errorf("Redis listed %q users", reply[0])
			}
			for i := 2; i+1 < len(reply); i += 2 {
				n, err := strconv.Atoi(reply[i+1])
				if err != nil {
					return fmt.Errorf("Redis counted %q connections", reply[i+1])
				}
				list = append(list, signalbox.OnlineUser{UserID: reply[i], Connections: n})
			}
			if seen < want {
				return nil
			}
			from = reply[1]
		}
		return nil
	})
	if err != nil {
		r.mu.Lock()
		list = r.local.online(after, limit)
		r.mu.Unlock()
	}
	return list, err
}
