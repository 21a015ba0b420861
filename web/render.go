package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"time"

	"signalbox"
)

//go:embed templates/*.html
var templateFiles embed.FS

// layoutTemplate is what every page is rendered into; partialsTemplate holds the pieces that pages share.
const (
	layoutTemplate   = "layout.html"
	partialsTemplate = "partials.html"
)

// parseTemplates parses each page together with the layout. staticURL gives the address of a static file.
func parseTemplates(staticURL func(name string) string) (map[string]*template.Template, error) {
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{
		"static": staticURL,
		"path":   url.PathEscape,
		"when":   func(t time.Time) timestamp { return timestamp{t.UTC()} },
	}
	pages := map[string]*template.Template{}
	for _, file := range names {
		name := path.Base(file)
		if name == layoutTemplate || name == partialsTemplate {
			continue
		}
		t, err := template.New(layoutTemplate).Funcs(funcs).ParseFS(templateFiles,
			"templates/"+layoutTemplate, "templates/"+partialsTemplate, file)
		if err != nil {
			return nil, err
		}
		pages[name] = t
	}
	return pages, nil
}

// timestamp is a point in time as pages write it: exact for programs, in UTC for people without JavaScript.
type timestamp struct{ time.Time }

// Machine is the value of a time element's datetime attribute.
func (t timestamp) Machine() string { return t.Format(time.RFC3339Nano) }

// Human is what a time element shows before a script makes it the reader's local time.
func (t timestamp) Human() string { return t.Format("2 Jan 2006, 15:04 UTC") }

// page is what a handler gives the renderer.
type page struct {
	template string
	// status is 200 when zero.
	status int
	Title  string
	// Section is the part of the site that the header marks as the current one.
	Section string
	// Content is the data of the page's own template.
	Content any
	// inbox is set by a page that shows notifications: how the inbox stood before it looked them up, so that a script that
	// asks for what came after that misses nothing. Others need not care.
	inbox *signalbox.InboxState
}

// inboxOf reads how a user's inbox stands.
func (s *Server) inboxOf(r *http.Request, user signalbox.User) (signalbox.InboxState, error) {
	inbox, err := s.opts.Notifications.InboxState(r.Context(), user.ID)
	if err != nil {
		return signalbox.InboxState{}, fmt.Errorf("read how the inbox stands: %w", err)
	}
	return inbox, nil
}

// layout is the data of the layout template.
type layout struct {
	page
	User *signalbox.User
	// Inbox is how the user's inbox stood before anything else of the page was looked up.
	Inbox signalbox.InboxState
	// PollInterval is in milliseconds.
	PollInterval int64
	HasScript    bool
}

// render answers with a page. What it writes depends on the data alone, so that the entity tag of an unchanged page is
// unchanged: an open page without a live connection asks for itself again and again, and mostly gets 304.
func (s *Server) render(w http.ResponseWriter, r *http.Request, user *signalbox.User, p page) error {
	data := layout{
		page: p, User: user,
		PollInterval: s.opts.PollInterval.Milliseconds(),
		HasScript:    s.static.has(scriptFile),
	}
	if user != nil && p.inbox != nil {
		data.Inbox = *p.inbox
	} else if user != nil {
		inbox, err := s.inboxOf(r, *user)
		if err != nil {
			return err
		}
		data.Inbox = inbox
	}
	return s.write(w, r, data)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, data layout) error {
	var body bytes.Buffer
	if err := s.templates[data.template].Execute(&body, data); err != nil {
		return fmt.Errorf("render %s: %w", data.template, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if data.status != 0 && data.status != http.StatusOK {
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(data.status)
		_, _ = w.Write(body.Bytes()) // Fails only when the client has gone: there is nobody left to tell.
		return nil
	}
	sum := sha256.Sum256(body.Bytes())
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	h.Set("Cache-Control", "private, no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body.Bytes()))
	return nil
}

// page makes a handler of a page that everybody may see; user is nil when nobody is signed in.
func (s *Server) page(handle func(w http.ResponseWriter, r *http.Request, user *signalbox.User) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		var user *signalbox.User
		err := guard(func() error {
			found, _, err := s.sessionUser(r)
			switch {
			case err == nil:
				user = &found
			case !errors.Is(err, signalbox.ErrUnauthenticated):
				return err
			}
			return handle(w, r, user)
		})
		if err != nil {
			s.errorPage(w, r, user, err)
		}
	})
}

// maxFormBytes is how long a posted form may be; the longest has a name, a password and an address.
const maxFormBytes = 16 << 10

// userPage makes a handler of a page for signed-in users. Others are sent to sign in and come back to where they were.
func (s *Server) userPage(handle func(w http.ResponseWriter, r *http.Request, user signalbox.User) error) http.Handler {
	return s.page(func(w http.ResponseWriter, r *http.Request, user *signalbox.User) error {
		if user != nil {
			return handle(w, r, *user)
		}
		to := "/signin"
		if r.Method == http.MethodGet {
			to += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	})
}

// errorPage answers a request that failed.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, user *signalbox.User, err error) {
	s.logError(r, err)
	a := answerTo(err)
	data := layout{
		HasScript:    s.static.has(scriptFile),
		PollInterval: s.opts.PollInterval.Milliseconds(),
		page: page{
			template: "error.html",
			status:   a.status,
			Title:    http.StatusText(a.status),
			Content:  errorContent{Status: a.status, Title: http.StatusText(a.status), Detail: a.detail},
		},
		User: user,
	}
	if user != nil && a.status < http.StatusInternalServerError {
		// The bell is not worth another error.
		data.Inbox, _ = s.inboxOf(r, *user)
	}
	if err := s.write(w, r, data); err != nil {
		s.logError(r, err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// errorContent is the data of error.html.
type errorContent struct {
	Status        int
	Title, Detail string
}
