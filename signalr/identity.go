package signalr

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Identity says who sends a request. Authentication middleware puts it into the request's context; a connection keeps
// the identity of the request that opened its transport.
//
// ASP.NET Core: ClaimsPrincipal with AuthenticationProperties.ExpiresUtc.
type Identity struct {
	// UserID is what [Clients.User] finds the user's connections by, compared byte for byte. Empty means nobody.
	UserID string
	// Expires is when the authentication ends; zero means never. See ConnectionOptions.CloseOnAuthenticationExpiration.
	Expires time.Time
	// Claims are whatever else is known of the user, such as roles. Hubs read them; nobody changes them.
	Claims map[string][]string
}

type identityKey struct{}

// WithIdentity returns ctx with the identity in it.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityFrom returns the identity that [WithIdentity] put into ctx. ok is false when there is none, or when it is
// nobody's.
func IdentityFrom(ctx context.Context) (id Identity, ok bool) {
	id, _ = ctx.Value(identityKey{}).(Identity)
	return id, id.UserID != ""
}

// AccessToken returns the token that a SignalR client sends with r: the bearer token of the Authorization header, or
// the query value access_token, which browsers use where they cannot set headers (F-012). The header wins.
func AccessToken(r *http.Request) string {
	const bearer = "Bearer "
	if h := r.Header.Get("Authorization"); len(h) >= len(bearer) && strings.EqualFold(h[:len(bearer)], bearer) {
		return h[len(bearer):]
	}
	for key, values := range r.URL.Query() {
		if strings.EqualFold(key, "access_token") { // F-016
			return values[0]
		}
	}
	return ""
}
