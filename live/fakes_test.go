package live_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"signalbox"
	"signalbox/signalr"
)

// at is when everything happens in the fakes.
var at = time.Date(2026, time.March, 4, 5, 6, 7, 890_123_000, time.UTC)

// errDown is what a service answers that does not work.
var errDown = errors.New("the secret database is down")

// hooks tell what was asked of a fake, and let a test step in before and after.
type hooks struct {
	mu     sync.Mutex
	calls  []string
	before map[string]func(context.Context) error
	after  map[string]func()
}

// onBefore lets f run before the operation, which fails if f does.
func (h *hooks) onBefore(operation string, f func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.before == nil {
		h.before = make(map[string]func(context.Context) error)
	}
	h.before[operation] = f
}

// fail lets the operation fail.
func (h *hooks) fail(operation string, err error) {
	h.onBefore(operation, func(context.Context) error { return err })
}

// onAfter lets f run when the operation is done and has not yet returned.
func (h *hooks) onAfter(operation string, f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.after == nil {
		h.after = make(map[string]func())
	}
	h.after[operation] = f
}

func (h *hooks) enter(ctx context.Context, operation string) error {
	h.mu.Lock()
	h.calls = append(h.calls, operation)
	f := h.before[operation]
	h.mu.Unlock()
	if f == nil {
		return ctx.Err()
	}
	return f(ctx)
}

func (h *hooks) leave(operation string) {
	h.mu.Lock()
	f := h.after[operation]
	h.mu.Unlock()
	if f != nil {
		f()
	}
	runtime.Gosched() // who depends on being the only one is found out
}

// asked returns the operations that were asked for, in order.
func (h *hooks) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

// inbox is a [signalbox.NotificationService] for the users ada, ben and cleo.
type inbox struct {
	signalbox.NotificationService // nobody asks for the rest
	hooks
	topics *topics
	outbox *outbox

	mu        sync.Mutex
	all       []signalbox.Notification
	first     map[string]int64 // by user: the first sequence that retention has left
	confirmed []string
}

func (f *inbox) Notify(ctx context.Context, users []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	if err := f.enter(ctx, "Notify"); err != nil {
		return nil, err
	}
	defer f.leave("Notify")
	if err := m.Validate(); err != nil {
		return nil, err
	}
	for _, user := range users {
		if !slices.Contains([]string{"ada", "ben", "cleo"}, user) {
			return nil, &signalbox.InvalidError{Field: "users", Reason: "must exist"}
		}
	}
	return f.publish(users, "", m), nil
}

func (f *inbox) NotifyTopic(ctx context.Context, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	if err := f.enter(ctx, "NotifyTopic"); err != nil {
		return nil, err
	}
	defer f.leave("NotifyTopic")
	if !slices.Contains(f.topics.exist, topic) {
		return nil, signalbox.ErrNotFound
	}
	return f.publish(f.topics.subscribers(topic), topic, m), nil
}

// store stores m for each of the users under the ids n1, n2, …
func (f *inbox) store(users []string, topic string, m signalbox.NotificationMessage) []signalbox.Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	var stored []signalbox.Notification
	for _, user := range users {
		n := signalbox.Notification{
			ID: fmt.Sprintf("n%d", len(f.all)+1), UserID: user, Sequence: 1, NotificationMessage: m.WithDefaults(), Topic: topic, CreatedAt: at,
		}
		for _, other := range f.all {
			if other.UserID == user {
				n.Sequence++
			}
		}
		f.all = append(f.all, n)
		stored = append(stored, n)
	}
	return stored
}

// publish stores m and puts what tells of it into the outbox.
func (f *inbox) publish(users []string, topic string, m signalbox.NotificationMessage) []signalbox.Notification {
	stored := f.store(users, topic, m)
	for _, n := range stored {
		f.outbox.add(signalbox.Event{UserID: n.UserID, Notification: &n})
	}
	return stored
}

func (f *inbox) InboxState(ctx context.Context, userID string) (signalbox.InboxState, error) {
	if err := f.enter(ctx, "InboxState"); err != nil {
		return signalbox.InboxState{}, err
	}
	defer f.leave("InboxState")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state(userID), nil
}

// state is how an inbox stands; f must be locked.
func (f *inbox) state(userID string) signalbox.InboxState {
	state := signalbox.InboxState{FirstSequence: max(f.first[userID], 1)}
	for _, n := range f.all {
		if n.UserID == userID {
			state.LastSequence = n.Sequence
			if n.ReadAt == nil {
				state.Unread++
			}
		}
	}
	return state
}

func (f *inbox) CatchUp(ctx context.Context, userID string, after int64, limit int) (signalbox.CatchUp, error) {
	if err := f.enter(ctx, "CatchUp"); err != nil {
		return signalbox.CatchUp{}, err
	}
	defer f.leave("CatchUp")
	f.mu.Lock()
	defer f.mu.Unlock()
	c := signalbox.CatchUp{Inbox: f.state(userID)}
	c.Gap = after+1 < c.Inbox.FirstSequence || after > c.Inbox.LastSequence
	for _, n := range f.all {
		if n.UserID != userID || n.Sequence <= after || n.Sequence < c.Inbox.FirstSequence {
			continue
		}
		if c.More = len(c.Notifications) == limit; c.More {
			break
		}
		c.Notifications = append(c.Notifications, n)
	}
	return c, nil
}

// Missed shows three at a time.
func (f *inbox) Missed(
	ctx context.Context, after map[string]int64, since time.Time, show func(context.Context, []signalbox.Notification) error,
) error {
	if err := f.enter(ctx, "Missed"); err != nil {
		return err
	}
	defer f.leave("Missed")
	f.mu.Lock()
	var list []signalbox.Notification
	for _, user := range slices.Sorted(maps.Keys(after)) {
		for _, n := range f.all {
			if n.UserID == user && n.Sequence > after[user] && !n.CreatedAt.Before(since) {
				list = append(list, n)
			}
		}
	}
	f.mu.Unlock()
	for page := range slices.Chunk(list, 3) {
		if err := show(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

func (f *inbox) ConfirmDelivered(ctx context.Context, userID string, ids []string) error {
	if err := f.enter(ctx, "ConfirmDelivered"); err != nil {
		return err
	}
	defer f.leave("ConfirmDelivered")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.confirmed = append(f.confirmed, userID+" "+id)
	}
	return nil
}

func (f *inbox) UnreadCount(ctx context.Context, userID string) (int, error) {
	if err := f.enter(ctx, "UnreadCount"); err != nil {
		return 0, err
	}
	defer f.leave("UnreadCount")
	f.mu.Lock()
	defer f.mu.Unlock()
	count := 0
	for _, n := range f.all {
		if n.UserID == userID && n.ReadAt == nil {
			count++
		}
	}
	return count, nil
}

func (f *inbox) MarkAsRead(ctx context.Context, userID, notificationID string) (changed bool, err error) {
	if err := f.enter(ctx, "MarkAsRead"); err != nil {
		return false, err
	}
	defer f.leave("MarkAsRead")
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, n := range f.all {
		if n.ID == notificationID && n.UserID == userID {
			f.all[i].ReadAt = new(at)
			if n.ReadAt == nil {
				f.outbox.add(signalbox.Event{UserID: userID, Read: []string{n.ID}})
			}
			return n.ReadAt == nil, nil
		}
	}
	return false, fmt.Errorf("marking a notification as read: %w", signalbox.ErrNotFound)
}

func (f *inbox) MarkAllAsRead(ctx context.Context, userID string) (changed []string, err error) {
	if err := f.enter(ctx, "MarkAllAsRead"); err != nil {
		return nil, err
	}
	defer f.leave("MarkAllAsRead")
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, n := range f.all {
		if n.UserID == userID && n.ReadAt == nil {
			f.all[i].ReadAt = new(at)
			changed = append(changed, n.ID)
		}
	}
	if len(changed) > 0 {
		f.outbox.add(signalbox.Event{UserID: userID, Read: changed})
	}
	return changed, nil
}

// stored returns how many notifications are stored.
func (f *inbox) stored() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// topics is a [signalbox.TopicService]: everybody may hear news, ada alone may hear board, and there are no others.
type topics struct {
	hooks
	exist []string

	mu         sync.Mutex
	subscribed map[string][]string // by topic
}

func newTopics() *topics {
	return &topics{exist: []string{"news", "board"}, subscribed: make(map[string][]string)}
}

func (f *topics) Subscribe(ctx context.Context, userID, topic string) error {
	if err := f.enter(ctx, "Subscribe"); err != nil {
		return err
	}
	defer f.leave("Subscribe")
	if !slices.Contains(f.exist, topic) || topic == "board" && userID != "ada" {
		return fmt.Errorf("subscribing: %w", signalbox.ErrForbidden)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.subscribed[topic], userID) {
		f.subscribed[topic] = append(f.subscribed[topic], userID)
	}
	return nil
}

func (f *topics) Unsubscribe(ctx context.Context, userID, topic string) error {
	if err := f.enter(ctx, "Unsubscribe"); err != nil {
		return err
	}
	defer f.leave("Unsubscribe")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribed[topic] = slices.DeleteFunc(f.subscribed[topic], func(user string) bool { return user == userID })
	return nil
}

func (f *topics) Subscriptions(ctx context.Context, userID string) ([]string, error) {
	if err := f.enter(ctx, "Subscriptions"); err != nil {
		return nil, err
	}
	defer f.leave("Subscriptions")
	var list []string
	for _, topic := range f.exist {
		if slices.Contains(f.subscribers(topic), userID) {
			list = append(list, topic)
		}
	}
	return list, nil
}

func (f *topics) subscribers(topic string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.subscribed[topic])
}

// orderBook is a [signalbox.OrderService].
type orderBook struct {
	signalbox.OrderService // nobody asks for the rest
	hooks
	outbox *outbox

	mu     sync.Mutex
	orders map[string]signalbox.Order
}

func newOrderBook(orders ...signalbox.Order) *orderBook {
	f := &orderBook{orders: make(map[string]signalbox.Order)}
	for _, o := range orders {
		f.orders[o.ID] = o
	}
	return f
}

func (f *orderBook) Order(ctx context.Context, id string) (signalbox.Order, error) {
	if err := f.enter(ctx, "Order"); err != nil {
		return signalbox.Order{}, err
	}
	defer f.leave("Order")
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.orders[id]
	if !ok {
		return signalbox.Order{}, fmt.Errorf("order %q: %w", id, signalbox.ErrNotFound)
	}
	return o, nil
}

func (f *orderBook) ChangeOrder(ctx context.Context, c signalbox.OrderChange) (before, after signalbox.Order, err error) {
	if err := f.enter(ctx, "ChangeOrder"); err != nil {
		return before, after, err
	}
	defer f.leave("ChangeOrder")
	f.mu.Lock()
	defer f.mu.Unlock()
	before = f.orders[c.ID]
	after = before
	if before.ID == "" {
		after = signalbox.Order{ID: c.ID, OwnerID: c.OwnerID, Status: signalbox.StatusPending, CreatedAt: at}
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
	if after != before {
		after.Version++
		after.UpdatedAt = at
		f.outbox.add(signalbox.Event{UserID: after.OwnerID, Order: &signalbox.OrderUpdate{Before: before, After: after}})
	}
	f.orders[c.ID] = after
	return before, after, nil
}

// put makes an order what it says, and remove removes it, without anybody being told.
func (f *orderBook) put(o signalbox.Order) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders[o.ID] = o
}

func (f *orderBook) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.orders, id)
}

// outbox keeps events until they have been sent, one after the other. When one fails, what is for its user waits until
// retry is called.
type outbox struct {
	deliver func(context.Context, []signalbox.Event) (int, error)

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []signalbox.Event
	held     map[string]bool // by user
	sending  bool
	ended    bool
	failures []error
}

func newOutbox() *outbox {
	o := &outbox{held: make(map[string]bool)}
	o.changed = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) add(e signalbox.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, e)
	o.changed.Broadcast()
}

// next returns the place of the next event to send, or -1; o must be locked.
func (o *outbox) next() int {
	return slices.IndexFunc(o.queue, func(e signalbox.Event) bool { return !o.held[e.UserID] })
}

// run sends until end is called.
func (o *outbox) run() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		i := o.next()
		switch {
		case o.ended:
			return
		case i < 0:
			o.changed.Wait()
			continue
		}
		e := o.queue[i]
		o.sending = true
		o.mu.Unlock()
		_, err := o.deliver(context.Background(), []signalbox.Event{e})
		o.mu.Lock()
		o.sending = false
		if err != nil {
			o.failures = append(o.failures, err)
			o.held[e.UserID] = true
		} else {
			o.queue = slices.Delete(o.queue, i, i+1)
		}
		o.changed.Broadcast()
	}
}

// settle waits until nothing can be sent any more, and returns why something could not, since it was last called.
func (o *outbox) settle() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.sending || o.next() >= 0 {
		o.changed.Wait()
	}
	defer func() { o.failures = nil }()
	return errors.Join(o.failures...)
}

// retry has what failed sent again.
func (o *outbox) retry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.held)
	o.changed.Broadcast()
}

func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.changed.Broadcast()
}

// outage is a lifetime manager that cannot reach some groups, or connections.
type outage struct {
	*signalr.MemoryLifetimeManager

	mu     sync.Mutex
	groups []string
	lost   []string
}

// cut makes sends to those groups fail, and to no others.
func (m *outage) cut(groups ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups = groups
}

// lose makes sends to those groups, and to no others, succeed and not arrive.
func (m *outage) lose(groups ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = groups
}

// Send implements [signalr.HubLifetimeManager]. Like one that has a network to cross, it heeds its context.
func (m *outage) Send(ctx context.Context, to signalr.Target, msg *signalr.SerializedMessage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	cut, lost := m.groups, m.lost
	m.mu.Unlock()
	hit := func(names []string) bool {
		return slices.ContainsFunc(to.Names, func(name string) bool { return slices.Contains(names, name) })
	}
	switch {
	case hit(cut):
		return errDown
	case hit(lost):
		return nil
	}
	return m.MemoryLifetimeManager.Send(ctx, to, msg)
}
