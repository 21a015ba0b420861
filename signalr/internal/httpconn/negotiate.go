package httpconn

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/signalr/transport"
)

// negotiation is the answer to a negotiate request; the order of its members is the reference's (F-019).
type negotiation struct {
	UseStatefulReconnect bool        `json:"useStatefulReconnect,omitempty"`
	NegotiateVersion     int         `json:"negotiateVersion"`
	ConnectionID         string      `json:"connectionId"`
	ConnectionToken      string      `json:"connectionToken,omitempty"`
	AvailableTransports  []available `json:"availableTransports"`
}

type available struct {
	Transport       string   `json:"transport"`
	TransferFormats []string `json:"transferFormats"`
}

// ServeNegotiate answers {path}/negotiate (F-015 to F-021). Nothing is kept of it: the token says it all.
func (ep *Endpoint) ServeNegotiate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		answer(w, http.StatusMethodNotAllowed, "")
		return
	}
	if ep.mgr.refuses() {
		refuse(w)
		return
	}
	version, refusal := ep.negotiateVersion(r)
	if refusal != "" {
		writeJSON(w, struct {
			Error string `json:"error"`
		}{refusal})
		return
	}
	tok := token{key: newConnKey(), version: version, issued: time.Now(), endpoint: ep.hash, user: hashUser(ep.user(r))}
	if ep.mgr.farm != nil {
		tok.home = ep.mgr.farm.self
	}
	wanted, _ := queryValue(r, "useStatefulReconnect")
	tok.stateful = strings.EqualFold(strings.TrimSpace(wanted), "true") && ep.opts.AllowStatefulReconnects
	secret := ep.mgr.tokens.encode(tok)
	n := negotiation{UseStatefulReconnect: tok.stateful, NegotiateVersion: version, ConnectionID: secret, AvailableTransports: []available{}}
	if version >= 1 {
		n.ConnectionID, n.ConnectionToken = tok.key.connectionID(), secret
	}
	for _, t := range []transport.Type{transport.WebSockets, transport.ServerSentEvents, transport.LongPolling} {
		if ep.opts.Transports&t == 0 {
			continue
		}
		a := available{Transport: t.String()}
		for _, f := range []transport.TransferFormat{transport.Text, transport.Binary} {
			if t.Formats()&f != 0 {
				a.TransferFormats = append(a.TransferFormats, f.String())
			}
		}
		n.AvailableTransports = append(n.AvailableTransports, a)
	}
	writeJSON(w, n)
}

// maxVersion is the highest negotiate version that is spoken.
const maxVersion = 1

// negotiateVersion chooses the version, or says why there is none (F-018, F-021).
func (ep *Endpoint) negotiateVersion(r *http.Request) (version int, refusal string) {
	if values := queryValues(r, "negotiateVersion"); len(values) > 0 {
		n, err := strconv.ParseInt(strings.Trim(strings.Join(values, ","), " \t\n\v\f\r"), 10, 32)
		if err != nil {
			return 0, "The client requested a non-integer protocol version."
		}
		version = int(n)
	}
	if version < ep.opts.MinimumProtocolVersion {
		return 0, "The client requested version '" + strconv.Itoa(version) + "', but the server does not support this version."
	}
	return min(version, maxVersion), ""
}

func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		answer(w, http.StatusInternalServerError, "") // cannot be: the types above always encode
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has gone reads nothing
}
