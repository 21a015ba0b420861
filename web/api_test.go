package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// api is a client of the REST API. It checks every answer against the description that the server itself gives.
type api struct {
	*browser
	description *jsonschema.Compiler
	paths       map[string]any
}

func (s *site) api() *api {
	s.t.Helper()
	a := &api{browser: s.browser(), description: jsonschema.NewCompiler()}
	document, err := jsonschema.UnmarshalJSON(a.get("/api/v1/openapi.json").Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a.paths = document.(map[string]any)["paths"].(map[string]any)
	a.description.DefaultDraft(jsonschema.Draft2020)
	a.description.AssertFormat()
	if err := a.description.AddResource("openapi.json", document); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// call sends a request with the site's key, and a body if there is one.
func (a *api) call(method, target, body string, headers ...string) (*http.Response, map[string]any) {
	a.t.Helper()
	all := []string{"Authorization", "Bearer " + a.key}
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
		all = append(all, "Content-Type", "application/json")
	}
	r := a.do(method, "/api/v1"+target, sent, append(all, headers...)...)
	content, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if len(content) == 0 {
		return r, nil
	}
	a.check(method, target, r, content)
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		a.t.Fatalf("%s %s: %v in %s", method, target, err, content)
	}
	return r, answer
}

// check compares an answer with what the description says of its operation and status.
func (a *api) check(method, target string, r *http.Response, content []byte) {
	a.t.Helper()
	path, _, _ := strings.Cut(target, "?")
	for _, prefix := range []string{"/orders/", "/notifications/"} {
		if strings.HasPrefix(path, prefix) {
			path = prefix + "{id}"
		}
	}
	operations, _ := a.paths[path].(map[string]any)
	operation, ok := operations[strings.ToLower(method)].(map[string]any)
	if !ok {
		return // No such operation: its refusal is described nowhere.
	}
	pointer := fmt.Sprintf("#/paths/%s/%s/responses/%d",
		strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(path), strings.ToLower(method), r.StatusCode)
	response, ok := operation["responses"].(map[string]any)[fmt.Sprint(r.StatusCode)].(map[string]any)
	if !ok {
		a.t.Errorf("%s %s: status %d is not described", method, target, r.StatusCode)
		return
	}
	if reference, ok := response["$ref"].(string); ok {
		pointer = reference
	}
	mediaType := r.Header.Get("Content-Type")
	schema, err := a.description.Compile("openapi.json" + pointer + "/content/" + strings.ReplaceAll(mediaType, "/", "~1") + "/schema")
	if err != nil {
		a.t.Errorf("%s %s: %s with status %d is not described: %v", method, target, mediaType, r.StatusCode, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		a.t.Errorf("%s %s: %v in %s", method, target, err, content)
		return
	}
	if err := schema.Validate(value); err != nil {
		a.t.Errorf("%s %s: the answer %s is not as described: %v", method, target, content, err)
	}
}

// refused checks that a request is answered with problem details; an empty field means that none may be named.
func (a *api) refused(method, target, body string, status int, field string) {
	a.t.Helper()
	r, answer := a.call(method, target, body)
	if r.StatusCode != status {
		a.t.Errorf("status %d with %v, want %d", r.StatusCode, answer, status)
		return
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("Content-Type %q, want problem details", got)
	}
	named, _ := answer["field"].(string)
	if answer["status"] != float64(status) || answer["title"] != http.StatusText(status) || answer["type"] != "about:blank" || named != field {
		a.t.Errorf("problem %v, want status %d and field %q", answer, status, field)
	}
	if detail, _ := answer["detail"].(string); detail == "" || strings.Contains(detail, "json:") || strings.Contains(detail, "web_test") {
		a.t.Errorf("detail %q is not for the one who asked", detail)
	}
}

// equal compares an answer with JSON.
func equal(t *testing.T, got map[string]any, want string) {
	t.Helper()
	var w map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestAPINeedsAKey(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	signedIn := s.signedIn("alice")
	for name, headers := range map[string][]string{
		"nothing":       nil,
		"wrong key":     {"Authorization", "Bearer wrong"},
		"no key":        {"Authorization", "Bearer "},
		"other scheme":  {"Authorization", "Basic " + s.key},
		"no scheme":     {"Authorization", s.key},
		"only a cookie": nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := a.browser
			if name == "only a cookie" {
				b = signedIn
			}
			for _, target := range []string{"/api/v1/orders?owner=alice", "/api/v1/notifications?user=alice", "/api/v1/orders/1"} {
				r := b.get(target, headers...)
				if r.StatusCode != 401 || r.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("GET %s: status %d, %s", target, r.StatusCode, r.Header.Get("Content-Type"))
				}
				if got := r.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
					t.Errorf("GET %s: WWW-Authenticate %q", target, got)
				}
			}
		})
	}
	if r := a.get("/api/v1/orders?owner=alice", "Authorization", "bearer  "+s.key); r.StatusCode != 200 {
		t.Errorf("scheme in lower case: status %d, want 200", r.StatusCode)
	}
}

func TestAPIUnknownRoutes(t *testing.T) {
	a := newSite(t, nil, nil).api()
	tests := []struct {
		method, target string
		status         int
		allow          string
	}{
		{http.MethodGet, "/nothing", 404, ""},
		{http.MethodGet, "/orders/1/history", 404, ""},
		{http.MethodDelete, "/orders/1", 405, "GET, HEAD, PUT"},
		{http.MethodPut, "/orders", 405, "GET, HEAD"},
		{http.MethodPatch, "/notifications", 405, "GET, HEAD, POST"},
		{http.MethodPost, "/openapi.json", 405, "GET, HEAD"},
	}
	for _, tt := range tests {
		t.Run(tt.method+tt.target, func(t *testing.T) {
			r, answer := a.call(tt.method, tt.target, "")
			if r.StatusCode != tt.status || r.Header.Get("Allow") != tt.allow || answer["status"] != float64(tt.status) {
				t.Errorf("status %d, Allow %q, %v; want %d, %q", r.StatusCode, r.Header.Get("Allow"), answer, tt.status, tt.allow)
			}
			if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

// TestAPIOddAddresses asks for addresses that net/http would redirect.
func TestAPIOddAddresses(t *testing.T) {
	a := newSite(t, nil, nil).api()
	for _, target := range []string{
		"/api", "/api/", "/api//v1/orders", "/api/v1/../v1/orders", "/api/v1/./orders", "/api/v1/orders/%2e%2e", "/api/v1/../../signin",
	} {
		r := a.get(target, "Authorization", "Bearer "+a.key)
		if r.StatusCode != http.StatusNotFound || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s: status %d, %s; want 404 with problem details", target, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
}

func TestAPIBodies(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	const good = `{"owner":"alice"}`
	tests := []struct {
		name, body, field string
		status            int
	}{
		{"unknown field", `{"owner":"alice","colour":"red"}`, "colour", 400},
		{"name in other letters", `{"Owner":"alice"}`, "Owner", 400},
		{"wrong kind", `{"owner":"alice","progress":"half"}`, "progress", 400},
		{"fraction", `{"owner":"alice","progress":12.5}`, "progress", 400},
		{"number too large", `{"owner":"alice","progress":99999999999999999999}`, "progress", 400},
		{"same name twice", `{"owner":"alice","owner":"bob"}`, "", 400},
		{"something behind", good + `{}`, "", 400},
		{"cut off", `{"owner":"al`, "", 400},
		{"no JSON", `owner=alice`, "", 400},
		{"no object", `["alice"]`, "", 400},
		{"null", `null`, "", 400},
		{"blank", ` `, "", 400},
		{"not UTF-8", "{\"owner\":\"\xff\"}", "", 400},
		{"too long", `{"message":"` + strings.Repeat("a", 64<<10) + `"}`, "", 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { a.refused(http.MethodPut, "/orders/1", tt.body, tt.status, tt.field) })
	}
	for name, contentType := range map[string]string{"none": "", "form": "application/x-www-form-urlencoded", "text": "text/plain", "broken": "a/b/c;"} {
		t.Run("content type "+name, func(t *testing.T) {
			r, _ := a.call(http.MethodPut, "/orders/1", good, "Content-Type", contentType)
			if r.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("status %d, want 415", r.StatusCode)
			}
		})
	}
	if r, _ := a.call(http.MethodPut, "/orders/1", good+"\n", "Content-Type", "application/json; charset=utf-8"); r.StatusCode != 201 {
		t.Errorf("with a charset and a line end: status %d, want 201", r.StatusCode)
	}
}

func TestAPIFailures(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.Fail(errBroken)
	for _, target := range []string{"/orders?owner=alice", "/orders/1", "/notifications?user=alice"} {
		s.log.Reset()
		a.refused(http.MethodGet, target, "", http.StatusInternalServerError, "")
		if !strings.Contains(s.log.String(), errBroken.Error()) {
			t.Errorf("GET %s: the log lacks the error: %s", target, s.log)
		}
	}
	a.refused(http.MethodPost, "/notifications", `{"users":["alice"],"title":"x"}`, http.StatusInternalServerError, "")
	a.refused(http.MethodPut, "/orders/1", `{"owner":"alice"}`, http.StatusInternalServerError, "")
}
