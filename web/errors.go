package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"signalbox"
)

// httpError is an error that a handler answers with: a status, and words for the one who asked.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

// fieldError is an httpError about one field of the request.
type fieldError struct {
	status        int
	field, detail string
}

func (e *fieldError) Error() string { return e.detail }

// What handlers answer with beside the errors of the domain. They are never changed.
var (
	errNoRoute          = &httpError{http.StatusNotFound, "There is nothing at this address."}
	errMethodNotAllowed = &httpError{http.StatusMethodNotAllowed, "This address does not understand that method."}
	errCrossOrigin      = &httpError{http.StatusForbidden, "The request came from a page of another site and was refused."}
)

// answer is what a failed request is answered with, whether as a page or as problem details.
type answer struct {
	status int
	detail string
	// field is the field of the request that is wrong; it may be empty.
	field string
}

// answerTo maps errors to answers. This is the one place where it is decided; what is not listed is the server's fault
// and its text stays in the log.
func answerTo(err error) answer {
	var (
		own     *httpError
		about   *fieldError
		invalid *signalbox.InvalidError
		tooLong *http.MaxBytesError
	)
	switch {
	case errors.As(err, &own):
		return answer{status: own.status, detail: own.detail}
	case errors.As(err, &about):
		return answer{status: about.status, detail: about.detail, field: about.field}
	case errors.As(err, &invalid):
		return answer{status: http.StatusBadRequest, detail: invalid.Error(), field: invalid.Field}
	case errors.As(err, &tooLong):
		return answer{
			status: http.StatusRequestEntityTooLarge,
			detail: fmt.Sprintf("The body must not be longer than %d bytes.", tooLong.Limit),
		}
	case errors.Is(err, signalbox.ErrUnauthenticated):
		return answer{status: http.StatusUnauthorized, detail: "Send a valid API key: Authorization: Bearer KEY."}
	case errors.Is(err, signalbox.ErrForbidden):
		return answer{status: http.StatusForbidden, detail: "That is not yours to do."}
	case errors.Is(err, signalbox.ErrNotFound):
		return answer{status: http.StatusNotFound, detail: "It does not exist, or it is not yours to see."}
	case errors.Is(err, signalbox.ErrIdempotencyMismatch):
		return answer{
			status: http.StatusUnprocessableEntity, field: "Idempotency-Key",
			detail: "This Idempotency-Key belongs to a request with another body.",
		}
	case errors.Is(err, signalbox.ErrInFlight):
		return answer{
			status: http.StatusConflict, field: "Idempotency-Key",
			detail: "The request with this Idempotency-Key is being done. Ask again for its answer.",
		}
	case errors.Is(err, signalbox.ErrPrecondition):
		return answer{
			status: http.StatusPreconditionFailed,
			detail: "It is not as If-Match or If-None-Match wants it to be. Read it again for its ETag.",
		}
	case errors.Is(err, signalbox.ErrConflict):
		return answer{status: http.StatusConflict, detail: "It exists already, and belongs to somebody else."}
	}
	return answer{status: http.StatusInternalServerError, detail: "Something went wrong on our side."}
}

// logError logs what is the server's fault. That a client has gone away is not.
func (s *Server) logError(r *http.Request, err error) {
	if answerTo(err).status < http.StatusInternalServerError {
		return
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "request failed",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
}

// guard runs handle and makes a panic an error, so that the one who asked gets an answer and the log gets the stack.
func guard(handle func() error) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return handle()
}
