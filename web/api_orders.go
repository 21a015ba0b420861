package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox"
)

// orderRequest is the body of PUT /orders/{id}. A field that is missing or null leaves things as they are.
type orderRequest struct {
	Owner    string                 `json:"owner"`
	Status   *signalbox.OrderStatus `json:"status"`
	Progress *int                   `json:"progress"`
	Message  *string                `json:"message"`
}

// orderJSON is an order as the API answers it.
type orderJSON struct {
	ID        string                `json:"id"`
	Owner     string                `json:"owner"`
	Status    signalbox.OrderStatus `json:"status"`
	Progress  int                   `json:"progress"`
	Message   string                `json:"message"`
	Version   int64                 `json:"version"`
	CreatedAt time.Time             `json:"createdAt"`
	UpdatedAt time.Time             `json:"updatedAt"`
}

func orderToJSON(o signalbox.Order) orderJSON {
	return orderJSON{
		ID: o.ID, Owner: o.OwnerID, Status: o.Status, Progress: o.Progress, Message: o.Message, Version: o.Version,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt,
	}
}

// orderEventJSON is one version of an order.
type orderEventJSON struct {
	Version  int64                 `json:"version"`
	Status   signalbox.OrderStatus `json:"status"`
	Progress int                   `json:"progress"`
	Message  string                `json:"message"`
	At       time.Time             `json:"at"`
}

// orderWithHistoryJSON is what GET /orders/{id} answers.
type orderWithHistoryJSON struct {
	orderJSON
	// History are the latest versions, oldest first; HistoryTotal is how many are kept.
	History      []orderEventJSON `json:"history"`
	HistoryTotal int              `json:"historyTotal"`
}

// defaultHistory is how many versions of an order GET answers with unless it is told.
const defaultHistory = 100

// ordersJSON is what GET /orders answers.
type ordersJSON struct {
	Orders []orderJSON `json:"orders"`
}

// orderTag is the entity tag of an order: its version.
func orderTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func (s *Server) putOrder(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Idempotency-Key") != "" {
		// To ignore it would promise what is not kept: repeated later, the request undoes what others did in between.
		return &signalbox.InvalidError{
			Field: "Idempotency-Key", Reason: "is for POST alone: to repeat a PUT safely send If-Match, or If-None-Match: *",
		}
	}
	condition, err := orderPrecondition(r.Header)
	if err != nil {
		return err
	}
	var request orderRequest
	if err := readJSON(w, r, &request); err != nil {
		return err
	}
	before, after, err := s.opts.Orders.ChangeOrder(r.Context(), signalbox.OrderChange{
		ID: r.PathValue("id"), OwnerID: request.Owner, Status: request.Status, Progress: request.Progress, Message: request.Message,
		If: condition,
	})
	if err != nil {
		return fmt.Errorf("change an order: %w", err)
	}
	w.Header().Set("ETag", orderTag(after.Version))
	if before.Version == 0 {
		w.Header().Set("Location", apiPrefix+"/orders/"+after.ID) // An id has nothing in it to escape.
		return writeJSON(w, http.StatusCreated, orderToJSON(after))
	}
	return writeJSON(w, http.StatusOK, orderToJSON(after))
}

func (s *Server) getOrder(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r, "history")
	if err != nil {
		return err
	}
	limit := defaultHistory
	if value := query.Get("history"); value != "" {
		if limit, err = strconv.Atoi(value); err != nil || limit < 0 || limit > signalbox.MaxOrderHistory {
			return &signalbox.InvalidError{
				Field: "history", Reason: fmt.Sprintf("must be a whole number from 0 to %d", signalbox.MaxOrderHistory),
			}
		}
	}
	order, events, kept, err := s.orderWithHistory(r.Context(), r.PathValue("id"), limit)
	if err != nil {
		return err
	}
	tag := orderTag(order.Version)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if tagMatches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	result := orderWithHistoryJSON{
		orderJSON: orderToJSON(order), History: make([]orderEventJSON, len(events)), HistoryTotal: kept,
	}
	for i, e := range events {
		result.History[i] = orderEventJSON(e)
	}
	return writeJSON(w, http.StatusOK, result)
}

func (s *Server) getOrders(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r, "owner")
	if err != nil {
		return err
	}
	owner, err := s.userOf(r, "owner", query.Get("owner"))
	if err != nil {
		return err
	}
	list, err := s.opts.Orders.Orders(r.Context(), owner.ID)
	if err != nil {
		return fmt.Errorf("list orders: %w", err)
	}
	result := ordersJSON{Orders: make([]orderJSON, len(list))}
	for i, o := range list {
		result.Orders[i] = orderToJSON(o)
	}
	return writeJSON(w, http.StatusOK, result)
}

// userOf returns the user that a parameter names.
func (s *Server) userOf(r *http.Request, field, id string) (signalbox.User, error) {
	if id == "" {
		return signalbox.User{}, &signalbox.InvalidError{Field: field, Reason: "must name a user"}
	}
	user, err := s.opts.Users.User(r.Context(), id)
	if errors.Is(err, signalbox.ErrNotFound) {
		return signalbox.User{}, &httpError{http.StatusNotFound, "There is no such user."}
	}
	if err != nil {
		return signalbox.User{}, fmt.Errorf("look up a user: %w", err)
	}
	return user, nil
}

// parseQuery reads the parameters of a request, of which only those named may be given, and each once.
func parseQuery(r *http.Request, allowed ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &httpError{http.StatusBadRequest, "The query of the address cannot be read."}
	}
	for name, values := range query {
		switch {
		case !slices.Contains(allowed, name):
			return nil, &signalbox.InvalidError{Field: name, Reason: "is not a parameter of this request"}
		case len(values) > 1:
			return nil, &signalbox.InvalidError{Field: name, Reason: "must not be given more than once"}
		}
	}
	return query, nil
}

// tagMatches says whether an If-None-Match header names the tag (RFC 9110 section 13.1.2).
func tagMatches(header []string, tag string) bool {
	for _, value := range header {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == "*" || candidate == tag {
				return true
			}
		}
	}
	return false
}
