package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"signalbox"
)

// homePath is where a signed-in user begins.
const homePath = "/orders"

// home sends everybody to where they begin.
func (s *Server) home(w http.ResponseWriter, r *http.Request, user *signalbox.User) error {
	to := homePath
	if user == nil {
		to = "/signin"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// signInContent is the data of signin.html.
type signInContent struct {
	Name, Next, Error, Hint string
}

func (s *Server) signInForm(w http.ResponseWriter, r *http.Request, user *signalbox.User) error {
	next := localPath(r.URL.Query().Get("next"))
	if user != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	return s.renderSignIn(w, r, http.StatusOK, signInContent{Next: next})
}

func (s *Server) renderSignIn(w http.ResponseWriter, r *http.Request, status int, content signInContent) error {
	content.Hint = s.opts.SignInHint
	return s.render(w, r, nil, page{template: "signin.html", status: status, Title: "Sign in", Content: content})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request, before *signalbox.User) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name, password := strings.TrimSpace(r.PostForm.Get("name")), r.PostForm.Get("password")
	content := signInContent{Name: name, Next: localPath(r.PostForm.Get("next"))}
	if name == "" || password == "" {
		content.Error = "Enter your name and your password."
		return s.renderSignIn(w, r, http.StatusUnprocessableEntity, content)
	}

	key := attemptKeyOf(r, name)
	if wait := s.attempts.begin(key, time.Now()); wait > 0 {
		minutes := int((wait + time.Minute - 1) / time.Minute)
		w.Header().Set("Retry-After", strconv.Itoa(minutes*60))
		content.Error = fmt.Sprintf("Too many attempts. Try again in %d minutes.", minutes)
		if minutes == 1 {
			content.Error = "Too many attempts. Try again in a minute."
		}
		return s.renderSignIn(w, r, http.StatusTooManyRequests, content)
	}
	user, err := s.opts.Users.Authenticate(r.Context(), name, password)
	if errors.Is(err, signalbox.ErrUnauthenticated) {
		content.Error = "That name and password do not belong together."
		return s.renderSignIn(w, r, http.StatusUnprocessableEntity, content)
	}
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	s.attempts.succeeded(key)
	if err := s.startSession(r.Context(), user.ID); err != nil {
		return err
	}
	if before != nil && before.ID != user.ID { // who sat here before
		if err := s.endConnections(r.Context(), before); err != nil {
			return err
		}
	}
	http.Redirect(w, r, content.Next, http.StatusSeeOther)
	return nil
}

// signOut ends the session, and then the user's live connections: those of the session cannot be made anew.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request, user *signalbox.User) error {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	if user != nil {
		if err := s.endConnections(r.Context(), user); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}

func (s *Server) endConnections(ctx context.Context, user *signalbox.User) error {
	if err := s.opts.Users.SignOut(ctx, user.ID); err != nil && !errors.Is(err, signalbox.ErrNotFound) {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// localPath returns next if it is an address on this server, else homePath: a link to the sign-in page must not be able
// to lead elsewhere. Browsers read a backslash as a slash, and skip control characters.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return homePath
	}
	// A path that net/http would clean on arrival, such as "/.//evil.example", is nothing that this server hands out.
	if clean := path.Clean(u.Path); clean != u.Path && clean+"/" != u.Path {
		return homePath
	}
	if u.Path == "/signin" || u.Path == "/signout" {
		return homePath
	}
	return next
}

// parseForm reads a posted form.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLong *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLong) {
		return &httpError{http.StatusBadRequest, "The form could not be read."}
	}
	return err
}
