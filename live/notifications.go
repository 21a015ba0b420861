package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/signalr"
)

// Notifications stores notifications and what is done with them. What is stored is shown to the users' connections by
// way of the outbox, see [Events]; it is this that sends it. It is safe for concurrent use.
//
// ASP.NET pattern: SignalRNotificationService.
type Notifications struct {
	signalbox.NotificationService
	hub         signalr.HubContext
	counts      keyedMutex // by user: counts are sent in the order in which they were true
	connections *Connections
	// Logger gets what clients are not told; nil means slog.Default(). Set it before the first use.
	Logger *slog.Logger
	broken undeliverable
}

var (
	_ signalbox.NotificationService         = (*Notifications)(nil)
	_ signalbox.RealTimeNotificationService = (*Notifications)(nil)
)

// NewNotifications returns a service that stores in store and shows through the notification hub.
func NewNotifications(store signalbox.NotificationService, hub signalr.HubContext) *Notifications {
	return &Notifications{NotificationService: store, hub: hub, connections: new(Connections)}
}

// Connections returns the connections of this process to the notification hub.
func (s *Notifications) Connections() *Connections { return s.connections }

func (s *Notifications) user(userID string) notificationhub.Sender {
	return notificationhub.To(s.hub.Clients().Group(userGroup(userID)))
}

// SendToUser implements [signalbox.RealTimeNotificationService].
func (s *Notifications) SendToUser(ctx context.Context, userID string, m signalbox.NotificationMessage) (signalbox.Notification, error) {
	stored, err := s.Notify(ctx, []string{userID}, m)
	if err != nil {
		return signalbox.Notification{}, err
	}
	return stored[0], nil
}

// SendToUsers implements [signalbox.RealTimeNotificationService].
func (s *Notifications) SendToUsers(ctx context.Context, userIDs []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	return s.Notify(ctx, userIDs, m)
}

// BroadcastToTopic implements [signalbox.RealTimeNotificationService].
func (s *Notifications) BroadcastToTopic(ctx context.Context, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	return s.NotifyTopic(ctx, topic, m)
}

// SendToGroup implements [signalbox.RealTimeNotificationService].
func (s *Notifications) SendToGroup(ctx context.Context, group string, m signalbox.NotificationMessage) error {
	m = m.WithDefaults()
	if err := m.Validate(); err != nil {
		return err
	}
	n := signalbox.Notification{NotificationMessage: m, CreatedAt: time.Now().UTC()}
	return notificationhub.To(s.hub.Clients().Group(group)).ReceiveNotification(ctx, s.message(n))
}

// UpdateUnreadCount implements [signalbox.RealTimeNotificationService].
func (s *Notifications) UpdateUnreadCount(ctx context.Context, userID string) error {
	return s.sendCount(ctx, userID, s.user(userID))
}

// sendCount tells some of the user's connections how many notifications are unread.
func (s *Notifications) sendCount(ctx context.Context, userID string, to notificationhub.Sender) error {
	defer s.counts.lock(userID)()
	count, err := s.UnreadCount(ctx, userID)
	if err != nil {
		return fmt.Errorf("counting unread notifications: %w", err)
	}
	return to.UnreadCountUpdated(ctx, count)
}

// to returns a Sender to some connections. What a connection sends to itself may wait for room in its queue,
// which nobody must do under a lock; so it is sent as by somebody else.
func (s *Notifications) to(connectionIDs ...string) notificationhub.Sender {
	return notificationhub.To(s.hub.Clients().Clients(connectionIDs...))
}

// show sends a notification to its user's connections. That it was sent does not say that a backplane has brought it, to
// this process's connections either: they count as not having been given it.
func (s *Notifications) show(ctx context.Context, n signalbox.Notification) error {
	if err := s.user(n.UserID).ReceiveNotification(ctx, s.message(n)); err != nil {
		return fmt.Errorf("notification %s: %w", n.ID, err)
	}
	return nil
}

// resendUsers is for how many users at a time what they have missed is read.
const resendUsers = 100

// resend sends to this process's connections the notifications stored since a time that they have not been given.
func (s *Notifications) resend(ctx context.Context, since time.Time) (sent int, err error) {
	standing := s.connections.standing()
	users := slices.Sorted(maps.Keys(standing))
	for batch := range slices.Chunk(users, resendUsers) {
		after := make(map[string]int64, len(batch))
		for _, user := range batch {
			after[user] = standing[user]
		}
		n, batchErr := s.resendTo(ctx, after, since)
		sent += n
		err = errors.Join(err, batchErr)
	}
	return sent, err
}

// resendTo is resend for some users, given the sequence after which each may lack something.
func (s *Notifications) resendTo(ctx context.Context, after map[string]int64, since time.Time) (sent int, err error) {
	behind := make(map[string]error) // by connection: why it has not been given one, and is given none of those after it
	var uncounted error
	err = s.Missed(ctx, after, since, func(ctx context.Context, missed []signalbox.Notification) error {
		told := make(map[string][]string) // by user: connections, perhaps several times
		for _, n := range missed {
			// Nobody lacks it who has got it, or gone, meanwhile.
			reached := s.resendOne(ctx, n, s.connections.lacking(n.UserID, n.Sequence), behind)
			if len(reached) > 0 {
				told[n.UserID] = append(told[n.UserID], reached...)
				sent++
			}
		}
		for user, ids := range told {
			if err := s.sendCount(ctx, user, s.to(slices.Compact(slices.Sorted(slices.Values(ids)))...)); err != nil {
				uncounted = err
			}
		}
		return ctx.Err()
	})
	err = errors.Join(err, uncounted)
	for _, cause := range behind {
		return sent, errors.Join(err, fmt.Errorf("%d connections, one of them: %w", len(behind), cause))
	}
	return sent, err
}

// resendOne sends a notification to connections of this process but for those that are behind, and returns those that it
// has reached. Each is sent it by itself: that goes no way through a backplane, on which what comes next could be faster.
func (s *Notifications) resendOne(ctx context.Context, n signalbox.Notification, ids []string, behind map[string]error) (reached []string) {
	for _, id := range ids {
		if behind[id] != nil {
			continue
		}
		if err := s.to(id).ReceiveNotification(ctx, s.message(n)); err != nil {
			behind[id] = fmt.Errorf("notification %s: %w", n.ID, err)
			continue
		}
		s.connections.given(n.UserID, n.Sequence, id)
		reached = append(reached, id)
	}
	return reached
}

// message is a notification as clients get it. Data that were stored before they were checked as they are now, and that
// no protocol could write, are left out: one notification must keep neither those behind it nor the whole inbox.
func (s *Notifications) message(n signalbox.Notification) notificationhub.NotificationMessage {
	m := notificationhub.NotificationMessage{
		ID: n.ID, Sequence: n.Sequence, Title: n.Title, Message: n.Message, Type: string(n.Type),
		Topic: n.Topic, CreatedAt: n.CreatedAt,
	}
	if len(n.Data) == 0 {
		return m
	}
	if err := signalbox.ValidateData(n.Data); err != nil {
		s.broken.log(cmp.Or(s.Logger, slog.Default()), n.ID, n.UserID, err)
		return m
	}
	m.Data = notificationhub.Data(n.Data)
	return m
}
