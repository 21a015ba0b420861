package web

import (
	"net/http"
	"path"
	"strings"
)

// Handler returns the handler of the whole server. It passes everything below /hubs/ on to hubs as it came: neither
// request nor writer are wrapped, because hubs hijack, flush and stream. Every route of hubs that needs a user must
// stand behind [Server.RequireUser]. hubs may be nil: then there are none. Below /api/ every answer is the API's own.
func (s *Server) Handler(hubs http.Handler) http.Handler {
	mux := http.NewServeMux()
	if hubs != nil {
		mux.Handle("/hubs/", hubs)
	}
	mux.Handle("/static/", securityHeaders(s.static))
	api := securityHeaders(s.apiHandler())
	mux.Handle("/api", api)
	mux.Handle("/api/", api)
	mux.Handle("/", securityHeaders(s.sessions.LoadAndSave(s.origins.Handler(s.pageHandler()))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r) // An address with .. or // in it would be redirected, by a page.
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// pageHandler returns the handler of the pages, which must stand behind the session middleware.
func (s *Server) pageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.page(s.home))

	mux.Handle("GET /signin", s.page(s.signInForm))
	mux.Handle("POST /signin", s.page(s.signIn))
	mux.Handle("POST /signout", s.page(s.signOut))

	mux.Handle("GET /notifications", s.userPage(s.notificationsPage))
	mux.Handle("POST /notifications/{id}/read", s.userPage(s.markAsRead))
	mux.Handle("POST /notifications/read-all", s.userPage(s.markAllAsRead))
	mux.Handle("POST /notifications/topics", s.userPage(s.changeSubscription))

	mux.Handle("GET /orders", s.userPage(s.ordersPage))
	mux.Handle("GET /orders/{orderId}", s.userPage(s.orderPage))

	return routesOr(mux, func(w http.ResponseWriter, r *http.Request, err error) {
		user, _, userErr := s.sessionUser(r)
		if userErr != nil {
			s.errorPage(w, r, nil, err)
			return
		}
		s.errorPage(w, r, &user, err)
	})
}

// route is one operation of the REST API.
type route struct {
	method, path string
	handler      apiHandler
}

// apiRoutes are the operations that need an API key, with paths as openapi.json writes them, relative to apiPrefix.
func (s *Server) apiRoutes() []route {
	return []route{
		{http.MethodPost, "/notifications", s.postNotifications},
		{http.MethodGet, "/notifications", s.getNotifications},
		{http.MethodGet, "/notifications/{id}", s.getReceipt},
		{http.MethodGet, "/orders", s.getOrders},
		{http.MethodGet, "/orders/{id}", s.getOrder},
		{http.MethodPut, "/orders/{id}", s.putOrder},
		{http.MethodGet, "/presence", s.listPresence},
		{http.MethodGet, "/presence/{user}", s.getPresence},
	}
}

// apiHandler returns the handler of everything below /api/.
func (s *Server) apiHandler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.apiRoutes() {
		mux.Handle(route.method+" "+apiPrefix+route.path, s.api(s.requireKey(route.handler)))
	}
	mux.Handle("GET "+apiPrefix+"/openapi.json", s.api(openAPI))
	routes := routesOr(mux, s.problem)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isClean(r.URL.Path) {
			s.problem(w, r, errNoRoute)
			return
		}
		routes.ServeHTTP(w, r)
	})
}

// isClean says whether a path has no empty segment, and none that is . or .. in it: those [http.ServeMux] redirects.
func isClean(p string) bool {
	return path.Clean(p) == strings.TrimSuffix(p, "/")
}

// routesOr serves by mux. What mux has no route for it hands to refuse, as errNotFound or errMethodNotAllowed with the
// Allow header set, because the texts of [http.ServeMux] are neither pages nor problem details.
func routesOr(mux *http.ServeMux, refuse func(w http.ResponseWriter, r *http.Request, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := headerRecorder{header: http.Header{}}
		handler.ServeHTTP(&answer, r)
		if answer.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = answer.header["Allow"]
			refuse(w, r, errMethodNotAllowed)
			return
		}
		refuse(w, r, errNoRoute)
	})
}

// headerRecorder keeps the status and the headers of an answer and drops its body.
type headerRecorder struct {
	header http.Header
	status int
}

func (h *headerRecorder) Header() http.Header         { return h.header }
func (h *headerRecorder) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerRecorder) WriteHeader(status int)      { h.status = status }
