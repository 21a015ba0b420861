package signalbox

import (
	"context"
	"slices"
	"time"
)

// OrderStatus says where an order stands. It travels as its name.
type OrderStatus string

// The states of an order, in the order in which they usually come. Completed, Cancelled and Failed are the ends.
const (
	StatusPending    OrderStatus = "Pending"
	StatusConfirmed  OrderStatus = "Confirmed"
	StatusProcessing OrderStatus = "Processing"
	StatusShipped    OrderStatus = "Shipped"
	StatusCompleted  OrderStatus = "Completed"
	StatusCancelled  OrderStatus = "Cancelled"
	StatusFailed     OrderStatus = "Failed"
)

// OrderStatuses lists every status, in their usual order.
var OrderStatuses = []OrderStatus{
	StatusPending, StatusConfirmed, StatusProcessing, StatusShipped, StatusCompleted, StatusCancelled, StatusFailed,
}

// Valid says whether s is one of [OrderStatuses].
func (s OrderStatus) Valid() bool {
	switch s {
	case StatusPending, StatusConfirmed, StatusProcessing, StatusShipped, StatusCompleted, StatusCancelled, StatusFailed:
		return true
	}
	return false
}

// Final says that nothing is expected to follow.
func (s OrderStatus) Final() bool {
	return s == StatusCompleted || s == StatusCancelled || s == StatusFailed
}

// Order is an order as it stands now.
type Order struct {
	ID string
	// OwnerID is the only user who may see it.
	OwnerID string
	Status  OrderStatus
	// Progress is in percent, 0 to 100.
	Progress int
	// Message explains the status to the owner; it may be empty.
	Message string
	// Version is 1 when the order is made and one higher after each change.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// OrderEvent is what an order was changed to, one for each version.
type OrderEvent struct {
	Version  int64
	Status   OrderStatus
	Progress int
	Message  string
	At       time.Time
}

// OrderChange makes or changes an order. Nil fields stay as they are; of a new order they are StatusPending, 0 and
// empty.
type OrderChange struct {
	ID string
	// OwnerID must be set to make an order. Naming another owner for an order that exists is ErrConflict.
	OwnerID  string
	Status   *OrderStatus
	Progress *int
	Message  *string
	// If is what must be so when the change is made; nil means nothing.
	If *OrderPrecondition
}

// OrderPrecondition says how an order must be for a change to be made: whatever is set must be so.
type OrderPrecondition struct {
	// Absent: there must be no such order.
	Absent bool
	// Present: there must be one.
	Present bool
	// Versions, unless nil, are those of which it must have one.
	Versions []int64
}

// Holds says whether an order of that version is as it must be; 0 means that there is none. A nil precondition holds.
func (p *OrderPrecondition) Holds(version int64) bool {
	switch {
	case p == nil:
		return true
	case p.Absent && version != 0, p.Present && version == 0:
		return false
	}
	return p.Versions == nil || version != 0 && slices.Contains(p.Versions, version)
}

// MaxOrderHistory is how many events of an order are kept: the latest.
const MaxOrderHistory = 1000

// OrderService keeps orders and their history.
type OrderService interface {
	// Order returns the order with that id, or ErrNotFound.
	Order(ctx context.Context, id string) (Order, error)
	// Orders returns the owner's orders, the last changed first.
	Orders(ctx context.Context, ownerID string) ([]Order, error)
	// History returns the order's latest events, oldest first, at most limit of them, and how many are kept: at most
	// [MaxOrderHistory]. It fails with ErrNotFound when there is no such order.
	History(ctx context.Context, id string, limit int) (latest []OrderEvent, kept int, err error)
	// ChangeOrder makes or changes an order in one transaction and returns it before and after; before is the zero
	// Order when it is new. A change that changes nothing keeps the version. It fails with ErrPrecondition when c.If does
	// not hold in that transaction, and with an InvalidError when a field is out of range or the owner does not exist.
	ChangeOrder(ctx context.Context, c OrderChange) (before, after Order, err error)
	// TransferOrder gives an order to another owner, as a change with its own version. It fails with ErrNotFound, and
	// with an InvalidError when the new owner does not exist. Who owned it stops hearing of it.
	TransferOrder(ctx context.Context, id, ownerID string) (Order, error)
	// OrdersNeedingUpdates returns the orders whose status has changed since it was last announced to their owner, the
	// longest waiting first, at most limit of them.
	OrdersNeedingUpdates(ctx context.Context, limit int) ([]Order, error)
	// AnnounceOrder stores m for the order's owner and marks the order's status, as it stands in o, as announced, in
	// one transaction. ok is false, and nothing is stored, when that version or a later one was announced already:
	// several workers may try, one succeeds.
	AnnounceOrder(ctx context.Context, o Order, m NotificationMessage) (n Notification, ok bool, err error)
}
