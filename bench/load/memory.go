package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	"signalbox/bench/proc"
)

// collect makes the server collect its garbage and give the memory back, so that what stays is what it needs: GET
// /stats?gc=2. Plain TCP has no way to ask and makes no garbage.
func (t *Target) collect(ctx context.Context) error {
	if t.Transport == TCP {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.Scheme+"://"+t.url.Host+"/stats?gc=2", nil)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("load: asking for a collection: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("load: asking for a collection: %s", res.Status)
	}
	return nil
}

// collected returns the server's resident memory after a collection, the smaller of two: the first one runs finalizers
// whose garbage the second one takes.
func (t *Target) collected(ctx context.Context) (int64, error) {
	var rss int64
	for range 2 {
		if err := t.collect(ctx); err != nil {
			return 0, err
		}
		if err := wait(ctx, t.Settle/5); err != nil {
			return 0, err
		}
		m, err := proc.MemoryOf(t.PID)
		if err != nil {
			return 0, err
		}
		if rss == 0 || m.RSS < rss {
			rss = m.RSS
		}
	}
	return rss, nil
}

// settled gives the server a moment to notice that clients have left before it is asked to collect.
func (t *Target) settled(ctx context.Context) (int64, error) {
	if err := wait(ctx, t.Settle); err != nil {
		return 0, err
	}
	return t.collected(ctx)
}
