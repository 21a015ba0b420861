package signalr

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"signalbox/signalr/internal/httpconn"
)

// FarmOptions make a [Server] one node of several behind a balancer that may send any request to any of them: no
// sticky sessions are needed, on any transport. The nodes share [ServerOptions].TokenKeys. What reaches a node that the
// connection does not live on is passed on to the one that it does, together with the identity that this node's
// middleware has found out.
//
// The nodes need nothing in common but their keys: where a connection lives stands, encrypted, in its token. Sending to
// the connections of other nodes is the business of a [HubLifetimeManager] such as that of package redisbackplane.
//
// ASP.NET Core has no counterpart: there a balancer must be sticky unless every client uses WebSockets alone and skips
// negotiation.
type FarmOptions struct {
	// Address is the host and port at which other nodes reach this node's [Server.FarmHandler]. A name is looked up
	// when the server is made. It should be one that clients cannot reach.
	Address string
	// TLS, if set, has the nodes speak TLS with each other, with these settings for the side that connects.
	TLS *tls.Config

	dial func(ctx context.Context, network, address string) (net.Conn, error) // of tests
}

// options checks the options and completes them.
func (o *FarmOptions) options(keys []TokenKey) (*httpconn.FarmOptions, error) {
	if o == nil {
		return nil, nil
	}
	if len(keys) == 0 {
		return nil, errors.New("a farm needs TokenKeys that its nodes share")
	}
	addr, err := net.ResolveTCPAddr("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("the farm's address: %w", err)
	}
	if addr.IP == nil || addr.IP.IsUnspecified() || addr.Port == 0 {
		return nil, fmt.Errorf("the farm's address %q does not say where other nodes can reach this one", o.Address)
	}
	to := httpconn.NewFarmTransport()
	if o.dial != nil {
		to.DialContext = o.dial
	}
	scheme := "http"
	if o.TLS != nil {
		scheme, to.TLSClientConfig = "https", o.TLS
	}
	return &httpconn.FarmOptions{
		Address: addr.AddrPort(), Scheme: scheme, Transport: to, Marshal: marshalIdentity, Unmarshal: unmarshalIdentity,
	}, nil
}

// FarmHandler answers the other nodes of the farm. Serve it at [FarmOptions].Address, on a listener of its own that
// clients cannot reach; it lets in only requests that carry the seal of the farm's keys. The listener's server must not
// have a write time-out, and should keep idle connections for longer than 30 s. Without a farm it answers 404.
func (s *Server) FarmHandler() http.Handler { return s.conns.FarmHandler() }

func marshalIdentity(r *http.Request) ([]byte, error) {
	id, _ := IdentityFrom(r.Context())
	return json.Marshal(id)
}

func unmarshalIdentity(ctx context.Context, data []byte) (context.Context, error) {
	var id Identity
	if err := json.Unmarshal(data, &id); err != nil {
		return nil, fmt.Errorf("reading an identity: %w", err)
	}
	return WithIdentity(ctx, id), nil
}
