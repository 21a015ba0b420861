package web_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox"
	"signalbox/web"
)

func TestOrdersPage(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.order("a.b", "alice", signalbox.StatusProcessing, 40, "Packing <it>")
	s.order("1002", "alice", signalbox.StatusCompleted, 100, "")
	s.order("77", "bob", signalbox.StatusPending, 0, "")
	page := alice.page("/orders", http.StatusOK)
	var ids []string
	for _, card := range page.all("#order-list > li") {
		id, _ := card.attr("data-order-id")
		ids = append(ids, id)
	}
	if want := []string{"1002", "a.b"}; !slices.Equal(ids, want) {
		t.Errorf("orders %q, want %q", ids, want)
	}
	card := page.one("[data-order-id='a.b']")
	card.has("data-version", "1", "data-status", "Processing", "data-progress", "40", "data-message", "Packing <it>")
	card.one("h2 a").has("href", "/orders/a.b")
	card.one("[role=progressbar]").has("aria-valuenow", "40", "aria-valuemin", "0", "aria-valuemax", "100")
	card.one(".meter-bar").has("style", "width: 40%")
	if got := card.one(".badge").text(); got != "Processing" {
		t.Errorf("badge %q", got)
	}
	if got := page.one(".page-head .muted").text(); got != "1 in progress · 2 in all" {
		t.Errorf("summary %q", got)
	}
	alice.page("/orders/a.b", http.StatusOK)
}

func TestOrderPage(t *testing.T) {
	s := newSite(t, nil, func(o *web.Options) { o.PollInterval = 5 * time.Second })
	alice := s.signedIn("alice")
	s.order("1001", "alice", signalbox.StatusPending, 0, "")
	s.order("1001", "", signalbox.StatusProcessing, 30, "Packing")
	s.order("1001", "", signalbox.StatusProcessing, 55, "Packing")
	last := s.order("1001", "", signalbox.StatusShipped, 72, "On its way")
	page := alice.page("/orders/1001", http.StatusOK)

	if got := page.one("h1").text(); got != "Order #1001" {
		t.Errorf("heading %q", got)
	}
	page.one("#order").has("data-order-id", "1001", "data-version", "4", "data-status", "Shipped", "data-progress", "72",
		"data-message", "On its way", "data-updated-at", last.UpdatedAt.Format(time.RFC3339Nano))
	badge := page.one("#status-badge")
	badge.has("data-status", "Shipped")
	if got := badge.text(); got != "Shipped" {
		t.Errorf("badge %q", got)
	}
	if got := page.one("#status-message").text(); got != "On its way" {
		t.Errorf("message %q", got)
	}
	page.one("[role=status] #status-badge")
	page.one("[role=status] #status-message")
	bar := page.one("#progress-bar")
	bar.has("role", "progressbar", "aria-valuenow", "72", "style", "width: 72%")
	if got := bar.text(); got != "72%" {
		t.Errorf("bar %q", got)
	}
	if len(page.all("[role=status] #progress-bar, [aria-live] #progress-bar")) != 0 {
		t.Error("the progress bar is in a live region")
	}
	dialog := page.one("dialog#completion-modal")
	dialog.has("class", "modal hidden", "aria-labelledby", "completion-title")
	dialog.one("form[method=dialog] button")

	var timeline []string
	for _, entry := range page.all("#timeline > li") {
		timeline = append(timeline, entry.one(".timeline-status").text()+" "+entry.one(".timeline-message").text())
	}
	if want := []string{"Shipped 72% On its way", "Processing 55% Packing", "Pending 0% "}; !slices.Equal(timeline, want) {
		t.Errorf("timeline %q, want %q", timeline, want)
	}
	page.one("body").has("data-poll-interval", "5000")
	if got := page.one("noscript").text(); !strings.Contains(got, `http-equiv="refresh" content="5"`) {
		t.Errorf("without scripts: %q, want to load again after 5 s", got)
	}
}

func TestOrderPageShowsTheLatest(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	shows := func(entries int, latest, earlier string) {
		t.Helper()
		page := alice.page("/orders/1", http.StatusOK)
		list := page.all("#timeline > li")
		if len(list) != entries || list[0].one(".timeline-message").text() != latest {
			t.Errorf("%d entries, the latest %q; want %d, %q", len(list), list[0].one(".timeline-message").text(), entries, latest)
		}
		var text string
		for _, p := range page.all("#timeline-earlier") {
			text = p.text()
		}
		if text != earlier {
			t.Errorf("of earlier ones it says %q, want %q", text, earlier)
		}
	}
	change := func(from, to int) {
		for i := from; i <= to; i++ {
			s.order("1", "alice", signalbox.StatusProcessing, 1, strconv.Itoa(i))
		}
	}
	change(1, 50)
	shows(50, "50", "")
	change(51, 51)
	shows(50, "51", "One earlier entry is not shown.")
	change(52, 120)
	shows(50, "120", "70 earlier entries are not shown.")
	change(121, signalbox.MaxOrderHistory+1)
	shows(50, "1001", "950 earlier entries are not shown. What was before that is not kept.")
}

func TestOrderPageOfAnOrderThatIsDone(t *testing.T) {
	s := newSite(t, nil, nil)
	s.order("1", "alice", signalbox.StatusCompleted, 100, "")
	page := s.signedIn("alice").page("/orders/1", http.StatusOK)
	if len(page.all("noscript")) != 0 {
		t.Error("the page loads again, want not")
	}
	page.one("#completion-modal.hidden")
}

func TestOrderPageIsForTheOwner(t *testing.T) {
	s := newSite(t, nil, nil)
	s.order("1001", "alice", signalbox.StatusPending, 0, "private")
	bob := s.signedIn("bob")
	others, unknown := bob.get("/orders/1001"), bob.get("/orders/9999")
	if others.StatusCode != http.StatusNotFound || unknown.StatusCode != http.StatusNotFound {
		t.Errorf("status %d and %d, want 404", others.StatusCode, unknown.StatusCode)
	}
	if a, b := body(t, others), body(t, unknown); a != b {
		t.Errorf("somebody else's order looks different from none:\n%s\n%s", a, b)
	}
}

// changing is an order service whose order changes after each read.
type changing struct {
	signalbox.OrderService
	change func()
}

func (c changing) Order(ctx context.Context, id string) (signalbox.Order, error) {
	defer c.change()
	return c.OrderService.Order(ctx, id)
}

func TestOrderPageShowsOneVersion(t *testing.T) {
	var s *site
	s = newSite(t, nil, func(o *web.Options) {
		o.Orders = changing{o.Orders, func() { s.order("1", "", signalbox.StatusShipped, 60, "gone") }}
	})
	s.order("1", "alice", signalbox.StatusProcessing, 10, "")
	page := s.signedIn("alice").page("/orders/1", http.StatusOK)
	page.one("#order").has("data-version", "2", "data-status", "Shipped", "data-progress", "60")
	if got := page.one("#timeline > li:first-child strong").text(); got != "Shipped" {
		t.Errorf("the timeline ends with %q, want Shipped", got)
	}
}

func TestConditionalPages(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.order("1", "alice", signalbox.StatusPending, 0, "")
	for _, target := range []string{"/orders", "/orders/1", "/notifications"} {
		r := alice.get(target)
		tag := r.Header.Get("ETag")
		if got := r.Header.Get("Cache-Control"); tag == "" || got != "private, no-cache" || r.Header.Get("Vary") != "Cookie" {
			t.Errorf("GET %s: ETag %q, Cache-Control %q, Vary %q", target, tag, got, r.Header.Get("Vary"))
		}
		r = alice.get(target, "If-None-Match", tag)
		if text := body(t, r); r.StatusCode != http.StatusNotModified || text != "" {
			t.Errorf("GET %s with its tag: status %d, want 304", target, r.StatusCode)
		}
		s.notify("alice", "news")
		if r := alice.get(target, "If-None-Match", tag); r.StatusCode != http.StatusOK {
			t.Errorf("GET %s after a change: status %d, want 200", target, r.StatusCode)
		}
		if r := s.signedIn("bob").get("/orders", "If-None-Match", tag); r.StatusCode != http.StatusOK {
			t.Errorf("somebody else with that tag: status %d, want 200", r.StatusCode)
		}
	}
}
