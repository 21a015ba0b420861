package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"signalbox"
)

// presenceJSON is what GET /presence/{user} answers.
type presenceJSON struct {
	User        string   `json:"user"`
	Online      bool     `json:"online"`
	Connections []string `json:"connections"`
	// Partial says that this node alone could be asked.
	Partial bool `json:"partial"`
}

// onlineUserJSON is one of those that GET /presence lists.
type onlineUserJSON struct {
	User        string `json:"user"`
	Connections int    `json:"connections"`
}

// onlineUsersJSON is what GET /presence answers.
type onlineUsersJSON struct {
	Users []onlineUserJSON `json:"users"`
	// Online and Connections count all of them, whatever is on this page.
	Online      int  `json:"online"`
	Connections int  `json:"connections"`
	Partial     bool `json:"partial"`
}

// partial takes an error that only says that the rest of the farm could not be asked for what it is.
func partial(err error) (bool, error) {
	if errors.Is(err, signalbox.ErrPresencePartial) {
		return true, nil
	}
	return false, err
}

func (s *Server) getPresence(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	user, err := s.userOf(r, "user", r.PathValue("user"))
	if err != nil {
		return err
	}
	connections, err := s.opts.Presence.UserConnections(r.Context(), user.ID)
	some, err := partial(err)
	if err != nil {
		return fmt.Errorf("look for a user's connections: %w", err)
	}
	if connections == nil {
		connections = []string{}
	}
	return writeJSON(w, http.StatusOK, presenceJSON{
		User: user.ID, Online: len(connections) > 0, Connections: connections, Partial: some,
	})
}

func (s *Server) listPresence(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r, "after", "limit")
	if err != nil {
		return err
	}
	limit := defaultLimit
	if value := query.Get("limit"); value != "" {
		if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > maxLimit {
			return &signalbox.InvalidError{Field: "limit", Reason: fmt.Sprintf("must be a whole number from 1 to %d", maxLimit)}
		}
	}
	list, err := s.opts.Presence.OnlineUsers(r.Context(), query.Get("after"), limit)
	someListed, err := partial(err)
	if err != nil {
		return fmt.Errorf("list who is online: %w", err)
	}
	counts, err := s.opts.Presence.Counts(r.Context())
	someCounted, err := partial(err)
	if err != nil {
		return fmt.Errorf("count who is online: %w", err)
	}
	result := onlineUsersJSON{
		Users: make([]onlineUserJSON, len(list)), Online: counts.Users, Connections: counts.Connections,
		Partial: someListed || someCounted,
	}
	for i, u := range list {
		result.Users[i] = onlineUserJSON{User: u.UserID, Connections: u.Connections}
	}
	return writeJSON(w, http.StatusOK, result)
}
