package web

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox"
)

const (
	// apiPrefix is where the REST API begins.
	apiPrefix = "/api/v1"
	// maxJSONBytes is how long the body of a request may be.
	maxJSONBytes = 64 << 10
)

// apiHandler is an operation of the REST API. What it returns as an error is answered as problem details.
type apiHandler func(w http.ResponseWriter, r *http.Request) error

// api makes an operation an [http.Handler].
func (s *Server) api(handle apiHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := guard(func() error { return handle(w, r) }); err != nil {
			s.problem(w, r, err)
		}
	})
}

// apiKeyContext is where the context of a request has its API key.
type apiKeyContext struct{}

// apiKeyOf returns the API key of a request that requireKey has let through.
func apiKeyOf(r *http.Request) signalbox.APIKey {
	key, _ := r.Context().Value(apiKeyContext{}).(signalbox.APIKey)
	return key
}

// requireKey lets requests with a valid API key through to handle.
func (s *Server) requireKey(handle apiHandler) apiHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || secret == "" {
			return signalbox.ErrUnauthenticated
		}
		key, err := s.opts.Users.AuthenticateKey(r.Context(), strings.TrimSpace(secret))
		if err != nil {
			return fmt.Errorf("authenticate an API key: %w", err)
		}
		return handle(w, r.WithContext(context.WithValue(r.Context(), apiKeyContext{}, key)))
	}
}

// problemDetails is the body of an answer to a failed request: RFC 9457, with one member of our own.
type problemDetails struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Field is the field or parameter of the request that is wrong.
	Field string `json:"field,omitzero"`
}

// problem answers a request of the API that failed.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, err error) {
	s.logError(r, err)
	a := answerTo(err)
	if a.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="signalbox"`)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(a.status)
	// Fails only when the client has gone.
	_ = json.MarshalWrite(w, problemDetails{
		Type: "about:blank", Title: http.StatusText(a.status), Status: a.status, Detail: a.detail, Field: a.field,
	})
}

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // Fails only when the client has gone.
	return nil
}

// readBody reads the body of a request, which must be JSON.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, &httpError{http.StatusUnsupportedMediaType, "Send the body as Content-Type: application/json."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSONBytes))
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return nil, err
		}
		return nil, &httpError{http.StatusBadRequest, "The body could not be read to its end."}
	}
	return body, nil
}

// readJSON reads the body of a request into v, as decodeJSON does.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	return decodeJSON(body, v)
}

// decodeJSON decodes a body into v, which must be a pointer to a struct. It accepts what the API's description allows
// and nothing else: a name that is misspelt must not be taken for one that is missing.
func decodeJSON(body []byte, v any) error {
	if kind := jsontext.Value(bytes.TrimSpace(body)).Kind(); kind != '{' {
		return &httpError{http.StatusBadRequest, "The body must be a JSON object."}
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &semantic):
		field := fieldName(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return &signalbox.InvalidError{Field: field, Reason: "is not a field of this request"}
		}
		return &signalbox.InvalidError{Field: field, Reason: "has a value of the wrong kind"}
	default:
		fault := "The body is not valid JSON: " + jsonFault(err)
		if field := faultyField(err); field != "" {
			return &fieldError{http.StatusBadRequest, field, fault}
		}
		return &httpError{http.StatusBadRequest, fault}
	}
}

// jsonFault says what is wrong with a document in words without the name of the library.
func jsonFault(err error) string {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Sprintf("%v, at byte %d.", syntactic.Err, syntactic.ByteOffset)
	}
	return "it could not be read."
}

// faultyField returns the field within whose value the JSON is wrong, or "" when the fault may be the body's own.
func faultyField(err error) string {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) || strings.Count(string(syntactic.JSONPointer), "/") < 2 {
		return ""
	}
	return fieldName(syntactic.JSONPointer)
}

// fieldName returns the outermost field that a pointer leads through.
func fieldName(pointer jsontext.Pointer) string {
	for token := range pointer.Tokens() {
		return token
	}
	return "body"
}

//go:embed openapi.json
var openAPIDocument []byte

// openAPI serves the description of the API, which is no secret.
func openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPIDocument)
	return nil
}
