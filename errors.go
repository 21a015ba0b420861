package signalbox

import "errors"

// What a service answers when it cannot do what it was asked. Test with [errors.Is]; the text around a sentinel says
// what was being done.
var (
	// ErrNotFound: there is no such user, notification, order, topic or key, or the asker may not know that there is.
	ErrNotFound = errors.New("not found")
	// ErrForbidden: it exists, and the asker may know, but may not do that.
	ErrForbidden = errors.New("forbidden")
	// ErrConflict: something is there already, such as an order of another owner under the same id.
	ErrConflict = errors.New("conflict")
	// ErrPrecondition: it is not, or no longer, as the change wants it to be, such as at another version.
	ErrPrecondition = errors.New("precondition failed")
	// ErrUnauthenticated: name and password, or the API key, are not those of anybody.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrIdempotencyMismatch: the idempotency key belongs to a request with another content.
	ErrIdempotencyMismatch = errors.New("idempotency key used for another request")
	// ErrInFlight: the request with that idempotency key is being done at this moment.
	ErrInFlight = errors.New("request in flight")
)

// InvalidError says which field of a request is wrong, and why, in words for the one who sent it.
type InvalidError struct {
	// Field is the field's name as the sender wrote it, such as "users".
	Field string
	// Reason completes the sentence "Field …", such as "must name at least one user".
	Reason string
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }
