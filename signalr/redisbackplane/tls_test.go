package redisbackplane_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/redis/rueidis"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
	"signalbox/signalr/redisbackplane/redistest"
	"signalbox/signalr/signalrtest"
)

func TestScaleoutTLS(t *testing.T) {
	t.Parallel()
	r, config := redistest.RunTLS(t)
	redis := rueidis.ClientOption{InitAddress: []string{r.Addr}, TLSConfig: config}
	signalrtest.TestScaleout(t, func(t *testing.T) signalrtest.Farm {
		return func() signalr.HubLifetimeManager {
			return newBackplaneOn(t, redis, func(o *redisbackplane.Options) { o.HubName = "Hub " + t.Name() })
		}
	})
}

// TestTLSRefused: a server that cannot be trusted is one that is away; the event says why.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	r, right := redistest.RunTLS(t)
	_, wrong := redistest.RunTLS(t)
	for name, row := range map[string]struct {
		redis rueidis.ClientOption
		is    func(error) bool
	}{
		"authority": {rueidis.ClientOption{InitAddress: []string{r.Addr}, TLSConfig: wrong}, func(err error) bool {
			unknown, ok := errors.AsType[x509.UnknownAuthorityError](err)
			return ok && unknown.Cert != nil
		}},
		"name": {rueidis.ClientOption{
			InitAddress: []string{r.Addr}, TLSConfig: &tls.Config{RootCAs: right.RootCAs, ServerName: "redis.example"},
		}, func(err error) bool {
			_, ok := errors.AsType[x509.HostnameError](err)
			return ok
		}},
	} {
		t.Run(name, func(t *testing.T) {
			told := make(chan redisbackplane.StateChange, 1)
			n := newNodeWith(t, newBackplaneOn(t, row.redis, func(o *redisbackplane.Options) {
				o.OnStateChange = func(c redisbackplane.StateChange) {
					select {
					case told <- c:
					default: // its end
					}
				}
			}), both())
			c := <-told
			if c.To != redisbackplane.Disconnected || !row.is(c.Err) {
				t.Errorf("the backplane is %v: %v", c.To, c.Err)
			}
			a := n.connectJSON("a")
			n.sendHere(n.hub.Clients().All(), "alone")
			a.gets("alone")
		})
	}
}
