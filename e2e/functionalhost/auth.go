package main

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signalbox/signalr"
)

const (
	tokenLifetime = 5 * time.Second
	// clockSkew is how long after its end a token is still good, as with ASP.NET Core: clients reconnect with theirs.
	clockSkew = 5 * time.Minute
)

// tokens issues the tokens of this process and knows them again.
type tokens struct{ key []byte }

// newTokens returns tokens with a key that nobody else has.
func newTokens() tokens {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return tokens{key}
}

// issue returns a new token of the one user that there is.
func (t tokens) issue() (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    "SignalRTestServer",
		Audience:  jwt.ClaimStrings{"SignalRTests"},
		Subject:   "testuser",
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(tokenLifetime)),
	}).SignedString(t.key)
}

// verify returns whose the token is, if it is one of ours and not too old. Issuer and audience are not looked at.
func (t tokens) verify(token string) (signalr.Identity, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithLeeway(clockSkew), jwt.WithExpirationRequired())
	if err != nil {
		return signalr.Identity{}, err
	}
	return signalr.Identity{UserID: claims.Subject, Expires: claims.ExpiresAt.Time}, nil
}

// serveToken answers with a new token.
func (t tokens) serveToken(w http.ResponseWriter, _ *http.Request) {
	token, err := t.issue()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeText(w, token)
}

// require lets only requests with a good token through. The others get 401 without a body: clients show the body, or
// else the reason phrase, in the text of their error (F-011).
func (t tokens) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := t.verify(signalr.AccessToken(r))
		if err != nil || id.UserID == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(signalr.WithIdentity(r.Context(), id)))
	})
}
