package live

import (
	"context"
	"errors"
	"fmt"

	"signalbox"
	"signalbox/signalr"
)

// UserConnections finds a user's connections, to whichever process, as a [signalbox.ConnectionTracker] does.
type UserConnections interface {
	UserConnections(ctx context.Context, userID string) ([]string, error)
}

// Access makes the groups of connections agree with what their users may hear, when that has changed. All fields but All
// are required.
type Access struct {
	// Topics says what users want and may hear; All are the names of all topics that exist.
	Topics signalbox.TopicService
	All    []string
	// Connections finds the connections to change. What is found at one hub alone is no matter to the other.
	Connections UserConnections
	// Hub is the notification hub, and Orders shows orders through the other.
	Hub    signalr.HubContext
	Orders *Orders
}

// renew has the user's connections join the groups of the topics that the user hears, and leave all others. When the order
// with the id lost is not the user's any more, the connections that may watch it are made anew. Connections that are made
// meanwhile see to it themselves.
func (a *Access) renew(ctx context.Context, userID, lost string) error {
	hears, err := a.Topics.Subscriptions(ctx, userID)
	if err != nil && !errors.Is(err, signalbox.ErrNotFound) {
		return fmt.Errorf("reading what user %q may hear: %w", userID, err)
	}
	allowed := make(map[string]bool, len(hears))
	for _, topic := range hears {
		allowed[topic] = true
	}
	// Some may be found though the search has failed: what can be done is done, and the rest when it is tried again.
	connections, err := a.Connections.UserConnections(ctx, userID)
	errs := []error{err}
	for _, id := range connections {
		for _, topic := range a.All {
			change := a.Hub.Groups().Remove
			if allowed[topic] {
				change = a.Hub.Groups().Add
			}
			errs = append(errs, change(ctx, id, topicGroup(topic)))
		}
	}
	if lost != "" {
		errs = append(errs, a.Orders.end(ctx, userID))
	}
	return errors.Join(errs...)
}

// signOut ends the user's connections to both hubs, whichever process they are to. Clients that come back are asked anew
// who they are.
func (a *Access) signOut(ctx context.Context, userID string) error {
	return errors.Join(
		a.Hub.Clients().User(userID).Close(ctx, true),
		a.Orders.end(ctx, userID),
	)
}
