package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"signalbox"
)

// sessionUserKey is the session's key for the signed-in user's id.
const sessionUserKey = signalbox.SessionUserKey

func newSessionManager(opts Options) *scs.SessionManager {
	m := scs.New()
	m.Store = opts.Sessions
	m.Lifetime = opts.SessionLifetime
	// Who reads the store, or a backup of it, must not be able to sign in with what is found there.
	m.HashTokenInStore = true
	m.Cookie.Name = "signalbox"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = opts.SecureCookies
	if opts.SecureCookies {
		// The prefix makes browsers refuse a cookie of that name from another host or from plain http.
		m.Cookie.Name = "__Host-signalbox"
	}
	return m
}

// sessionUser returns the signed-in user of a request and when the session ends, or ErrUnauthenticated. It works behind
// the session middleware and without it. A session outlives its user without harm: the user is looked up each time.
func (s *Server) sessionUser(r *http.Request) (user signalbox.User, expires time.Time, err error) {
	cookie, err := r.Cookie(s.sessions.Cookie.Name)
	if err != nil {
		return signalbox.User{}, time.Time{}, signalbox.ErrUnauthenticated
	}
	ctx, err := s.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return signalbox.User{}, time.Time{}, fmt.Errorf("load the session: %w", err)
	}
	id := s.sessions.GetString(ctx, sessionUserKey)
	if id == "" {
		return signalbox.User{}, time.Time{}, signalbox.ErrUnauthenticated
	}
	user, err = s.opts.Users.User(r.Context(), id)
	if errors.Is(err, signalbox.ErrNotFound) {
		return signalbox.User{}, time.Time{}, signalbox.ErrUnauthenticated
	}
	if err != nil {
		return signalbox.User{}, time.Time{}, fmt.Errorf("look up the session's user: %w", err)
	}
	return user, s.sessions.Deadline(ctx), nil
}

// startSession signs the user in for this browser, under a new token, so that a token that was planted before is worth
// nothing.
func (s *Server) startSession(ctx context.Context, userID string) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew the session's token: %w", err)
	}
	s.sessions.Put(ctx, sessionUserKey, userID)
	return nil
}

// RequireUser is the middleware for the routes of the hubs. A request of a signed-in user goes on to next with
// the user in its context, as Options.WithIdentity puts it there. Others are answered 401, those of pages of other
// origins 403, both with an empty body and never with a redirect: who asks is a program. The response writer is
// handed on as it is, so that hubs can hijack, flush and stream.
//
// ASP.NET Core: CookieAuthenticationEvents.OnRedirectToLogin with status 401, and RequireAuthorization.
func (s *Server) RequireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.crossOrigin(r) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		user, expires, err := s.sessionUser(r)
		switch {
		case errors.Is(err, signalbox.ErrUnauthenticated):
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			s.logError(r, err)
			w.WriteHeader(http.StatusInternalServerError)
		default:
			ctx := s.opts.WithIdentity(r.Context(), user.ID, user.Roles, expires)
			next.ServeHTTP(w, r.WithContext(ctx))
		}
	})
}

// crossOrigin says whether a page of another origin has sent the request. [http.CrossOriginProtection] lets GET pass,
// because a GET should change nothing; a GET that opens a WebSocket or an event stream is the beginning of a
// conversation, so it is judged here as if it were a POST.
func (s *Server) crossOrigin(r *http.Request) bool {
	post := *r
	post.Method = http.MethodPost
	return s.origins.Check(&post) != nil
}
