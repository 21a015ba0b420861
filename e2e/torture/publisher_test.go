//go:build unix

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// publisher is a back end that publishes and keeps a record. Its methods are safe for concurrent use.
type publisher struct {
	url   string
	key   string
	users []string
	seed  uint64
	began time.Time
	http  *http.Client

	mu        sync.Mutex
	publishes []publish
	repeated  int     // attempts after the first
	refused   []error // answers that repeating cannot mend
}

const (
	publishers = 100 // requests at a time, at most
	// attemptLimit bounds one attempt, and publishLimit all of them: longer than any disturbance lasts.
	attemptLimit = 15 * time.Second
	publishLimit = 2 * time.Minute
)

func newPublisher(url, key string, users []string, seed uint64) *publisher {
	return &publisher{
		url: url, key: key, users: users, seed: seed, began: time.Now(),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: publishers}, Timeout: attemptLimit},
	}
}

// run publishes at a rate until ctx ends, and returns when all that has begun is answered or given up. What has to wait
// while servers are away it publishes as soon as it can: the rate is that of the whole run.
func (p *publisher) run(ctx context.Context, rate int) {
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range publishers {
		workers.Go(func() {
			for n := range numbers {
				p.publish(n)
			}
		})
	}
	began := time.Now()
	for n := 0; pause(ctx, time.Until(began.Add(time.Duration(n)*time.Second/time.Duration(rate)))); n++ {
		select {
		case numbers <- n:
		case <-ctx.Done():
		}
	}
	close(numbers)
	workers.Wait()
	p.http.CloseIdleConnections()
}

// publish publishes number n: what that is depends on the number and the seed alone.
func (p *publisher) publish(n int) {
	rng := rand.New(rand.NewPCG(p.seed, uint64(n)))
	users := []string{p.users[rng.IntN(len(p.users))]}
	if rng.IntN(10) == 0 {
		for range 3 {
			users = append(users, p.users[rng.IntN(len(p.users))])
		}
		slices.Sort(users)
		users = slices.Compact(users)
	}
	length := rng.IntN(200)
	if rng.IntN(50) == 0 {
		length = 3000 + rng.IntN(1000)
	}
	record := publish{title: fmt.Sprintf("%x-%d", p.seed, n), users: users, began: time.Since(p.began)}
	body, _ := json.Marshal(map[string]any{ // cannot fail
		"users": users, "title": record.title, "message": strings.Repeat("x", length),
	})
	// Some back ends do not ask again: what became of the notification they do not know.
	patient := rng.IntN(10) != 0
	ctx, cancel := context.WithTimeout(context.Background(), publishLimit)
	defer cancel()
	repeated, err := 0, error(nil)
	for {
		var again bool
		if record.answer, again, err = p.attempt(ctx, record.title, body); err == nil {
			record.outcome = accepted
			break
		}
		if !again || !patient || !pause(ctx, 100*time.Millisecond+rand.N(400*time.Millisecond)) {
			break
		}
		err = nil
		repeated++
	}
	record.ended = time.Since(p.began)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publishes = append(p.publishes, record)
	p.repeated += repeated
	if err != nil && !errors.Is(err, errRepeat) {
		p.refused = append(p.refused, fmt.Errorf("%s: %w", record.title, err))
	}
}

// errRepeat says that asking again may help.
var errRepeat = errors.New("no answer that says what has become of it")

// attempt publishes once. The title names the request, so that repeating it does no harm.
func (p *publisher) attempt(ctx context.Context, key string, body []byte) (stored []entry, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/notifications", bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	var answer struct{ Notifications []entry }
	status, err := p.do(req, &answer)
	switch {
	case status/100 == 2 && err == nil:
		return answer.Notifications, false, nil
	case status == 0, status/100 == 2, status/100 == 5, status == http.StatusConflict:
		return nil, true, errors.Join(errRepeat, err)
	}
	return nil, false, err
}

// do sends a request and decodes the answer if that is a success; otherwise there is an error. The status is 0 when
// there was no answer.
func (p *publisher) do(req *http.Request, answer any) (status int, err error) {
	req.Header.Set("Authorization", "Bearer "+p.key)
	res, err := p.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, err
	}
	if res.StatusCode/100 != 2 {
		return res.StatusCode, fmt.Errorf("%s %s was answered %s %s", req.Method, req.URL.Path, res.Status, text)
	}
	return res.StatusCode, json.Unmarshal(text, answer)
}

// stored lists what the server has of each user, oldest first.
func (p *publisher) stored(ctx context.Context) (map[string][]entry, error) {
	defer p.http.CloseIdleConnections()
	all := map[string][]entry{}
	for _, user := range p.users {
		query := url.Values{"user": {user}, "limit": {"200"}}
		for {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/notifications?"+query.Encode(), nil)
			if err != nil {
				return nil, err
			}
			var page struct{ Notifications []entry }
			if _, err := p.do(req, &page); err != nil {
				return nil, fmt.Errorf("listing what is stored of %s: %w", user, err)
			}
			if len(page.Notifications) == 0 {
				break
			}
			all[user] = append(all[user], page.Notifications...)
			query.Set("before", fmt.Sprint(page.Notifications[len(page.Notifications)-1].Sequence))
		}
		slices.Reverse(all[user])
	}
	return all, nil
}
