// Package web is everything of the server that a person or a REST client sees: the pages, the REST API, static files,
// sessions, and the middleware that tells the hubs who is asking. It knows the domain only; cmd/signalbox gives it
// the services and mounts the hubs.
package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"signalbox"
)

const (
	defaultPollInterval    = 30 * time.Second
	defaultSessionLifetime = 7 * 24 * time.Hour
)

// Options are what [New] needs. The services, Sessions and WithIdentity must be set; everything else may be zero.
//
// Somebody has to show what is changed to the users' open pages: this package changes things and does nothing further
// about it.
type Options struct {
	Users         signalbox.UserService
	Notifications signalbox.NotificationService
	Orders        signalbox.OrderService
	Subscriptions signalbox.TopicService
	Presence      signalbox.ConnectionTracker
	// Topics are the topics that users may be offered; empty means none.
	Topics signalbox.Topics

	// Sessions keeps the sessions of signed-in users. A store that is a [scs.CtxStore] too is given the request's context.
	Sessions scs.Store
	// SessionLifetime is how long somebody stays signed in; 0 means 7 days.
	SessionLifetime time.Duration
	// SecureCookies must be set where people reach the server by https: the session's cookie is then sent by https only.
	SecureCookies bool
	// TrustedOrigins are other origins, such as "https://intranet.example.com", whose pages may post forms here and
	// connect to the hubs with the user's cookie. Everybody else's are refused.
	TrustedOrigins []string

	// WithIdentity puts the signed-in user, the user's roles, and the time at which the session ends into the context
	// of a request to a hub. cmd/signalbox passes it on to the hub library, which this package does not know.
	WithIdentity func(ctx context.Context, userID string, roles []string, expires time.Time) context.Context

	// PollInterval is how often an open page asks for changes while it has no live connection; 0 means 30 seconds.
	PollInterval time.Duration
	// SignInHint is shown below the sign-in form, such as the accounts of a demonstration.
	SignInHint string
	// Logger gets what went wrong on the server's side; nil means [slog.Default].
	Logger *slog.Logger
}

// Server serves the pages and the REST API. It is safe for concurrent use.
type Server struct {
	opts      Options
	log       *slog.Logger
	sessions  *scs.SessionManager
	origins   *http.CrossOriginProtection
	static    *staticFiles
	templates map[string]*template.Template
	attempts  *attempts
}

// New makes a server. It fails when an option that it needs is missing or cannot be right.
func New(opts Options) (*Server, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		opts:     opts,
		log:      opts.Logger,
		sessions: newSessionManager(opts),
		origins:  http.NewCrossOriginProtection(),
		attempts: newAttempts(),
	}
	s.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.errorPage(w, r, nil, fmt.Errorf("session: %w", err))
	}
	for _, origin := range opts.TrustedOrigins {
		if err := s.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("web: Options.TrustedOrigins: %w", err)
		}
	}
	s.origins.SetDenyHandler(s.page(func(http.ResponseWriter, *http.Request, *signalbox.User) error {
		return errCrossOrigin
	}))
	var err error
	if s.static, err = newStaticFiles(); err != nil {
		return nil, fmt.Errorf("web: static files: %w", err)
	}
	if s.templates, err = parseTemplates(s.static.url); err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	return s, nil
}

// complete checks o and fills in the defaults.
func (o *Options) complete() error {
	for _, need := range []struct {
		name    string
		missing bool
	}{
		{"Users", o.Users == nil},
		{"Notifications", o.Notifications == nil},
		{"Orders", o.Orders == nil},
		{"Subscriptions", o.Subscriptions == nil},
		{"Presence", o.Presence == nil},
		{"Sessions", o.Sessions == nil},
		{"WithIdentity", o.WithIdentity == nil},
	} {
		if need.missing {
			return errors.New("web: Options." + need.name + " must be set")
		}
	}
	if err := o.Topics.Validate(); err != nil {
		return fmt.Errorf("web: Options.Topics: %w", err)
	}
	if o.SessionLifetime < 0 || o.PollInterval < 0 {
		return errors.New("web: Options.SessionLifetime and Options.PollInterval must not be negative")
	}
	if o.SessionLifetime == 0 {
		o.SessionLifetime = defaultSessionLifetime
	}
	if o.PollInterval == 0 {
		o.PollInterval = defaultPollInterval
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}
