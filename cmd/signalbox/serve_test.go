package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
)

// quiet keeps the worker from announcing orders while a test looks at other things.
var quiet = []string{"--order-interval", "1h"}

// shop makes a folder with the users anna and otto, whose passwords are their names, and an API key.
func shop(t *testing.T) (dir, key string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"anna", "otto"} {
		must(t, name+"\n", "user", "add", name, "--password-stdin", "--data", dir)
	}
	return dir, strings.TrimSpace(must(t, "", "key", "create", "shop", "--data", dir))
}

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, "--demo")
	if len(s.printed) != 4 || !regexp.MustCompile(`^Signalbox listens on http://127\.0\.0\.1:\d+$`).MatchString(s.printed[0]) {
		t.Fatalf("printed:\n%s", strings.Join(s.printed, "\n"))
	}
	key, ok := strings.CutPrefix(s.printed[3], "  API key       ")
	if !ok {
		t.Fatalf("printed %q, want the API key", s.printed[3])
	}
	want := []string{"  demo account  demo   password demo", "  demo account  demo2  password demo"}
	if diff := cmp.Diff(want, s.printed[1:3]); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if _, page := s.visitor().do(http.MethodGet, "/signin", ""); !strings.Contains(page, "This is a demonstration") {
		t.Error("the sign-in page does not say so")
	}
	if status := s.visitor().signIn("demo", "demo2"); status != http.StatusUnprocessableEntity {
		t.Errorf("signing in with a wrong password was answered %d", status)
	}
	demo, demo2 := s.signedIn("demo", "demo"), s.signedIn("demo2", "demo")

	// What a demonstration is configured with: a topic for everybody, one for the staff, and orders of each account.
	for _, row := range []struct {
		v           *visitor
		topic, want string
	}{
		{demo, "news", done}, {demo, "staff", refused("SubscribeToTopic", "Not authorized for this topic")},
		{demo2, "news", done}, {demo2, "staff", done},
	} {
		c := row.v.connect(notificationhub.Path)
		if got := c.answer("SubscribeToTopic", row.topic); got != row.want {
			t.Errorf("topic %s: got  %s\nwant %s", row.topic, got, row.want)
		}
		_ = c.ws.CloseNow()
	}
	s.backEnd(key, http.MethodPut, "/orders/mine", object{"owner": "demo", "status": "Shipped", "progress": 60}, http.StatusCreated)
	stored := s.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"demo"}, "title": "Kept"}, http.StatusCreated)
	s.stop()

	again := serve(t, dir, "--demo")
	if diff := cmp.Diff(s.printed[1:], again.printed[1:]); diff != "" {
		t.Errorf("printed at the second start (-first +second):\n%s", diff)
	}
	again.signedIn("demo", "demo")
	demo.s = again // the cookie is still good
	if res, _ := demo.do(http.MethodGet, "/orders/mine", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the page of the order was answered %s", res.Status)
	}
	order := again.backEnd(key, http.MethodGet, "/orders/mine", nil, http.StatusOK)
	if order["status"] != "Shipped" || order["version"] != 1.0 {
		t.Errorf("the order is %v", order)
	}
	inbox := again.backEnd(key, http.MethodGet, "/notifications?user=demo&limit=200", nil, http.StatusOK)
	if id := stored["notifications"].([]any)[0].(object)["id"].(string); !strings.Contains(fmt.Sprint(inbox), id) {
		t.Errorf("notification %s is not among %v", id, inbox)
	}
	if demoOrders := again.backEnd(key, http.MethodGet, "/orders?owner=demo2", nil, http.StatusOK)["orders"].([]any); len(demoOrders) != 2 {
		t.Errorf("demo2 has %d orders, want 2", len(demoOrders))
	}
}

// answer calls a method and returns the answer, whatever comes before it.
func (c *client) answer(target string, args ...any) string {
	c.t.Helper()
	c.invoke(target, args...)
	for {
		if m := c.next(); !strings.HasPrefix(m, `{"type":1,`) {
			return m
		}
	}
}

func TestHubsNeedASignedInUser(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, quiet...)
	for _, path := range []string{notificationhub.Path, orderhub.Path, "/HUBS/Notifications"} {
		for _, cookie := range []string{"", "signalbox=made-up"} {
			for _, request := range []struct{ method, target string }{
				{http.MethodPost, path + "/negotiate?negotiateVersion=1"}, {http.MethodGet, path}, {http.MethodPost, path + "?id=x"},
			} {
				res, body := s.visitor().do(request.method, request.target, "", "Cookie", cookie)
				if res.StatusCode != http.StatusUnauthorized || body != "" || res.Header.Get("Location") != "" {
					t.Errorf("%s %s with cookie %q was answered %s %q", request.method, request.target, cookie, res.Status, body)
				}
			}
		}
		if _, res, err := s.visitor().dial(path); err == nil || res == nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("a WebSocket at %s without a cookie: %v", path, err)
		}
		anna := s.signedIn("anna", "anna")
		res, body := anna.do(http.MethodPost, path+"/negotiate?negotiateVersion=1", "")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, `"connectionToken"`) {
			t.Errorf("negotiating as anna was answered %s %s", res.Status, body)
		}
		// With the cookie of the page it left, but from a page of somebody else's.
		for _, origin := range []string{"https://evil.example", "null"} {
			res, body := anna.do(http.MethodPost, path+"/negotiate?negotiateVersion=1", "", "Origin", origin)
			if res.StatusCode != http.StatusForbidden || body != "" {
				t.Errorf("negotiating from %s was answered %s %q", origin, res.Status, body)
			}
			if _, res, err := anna.dial(path, "Origin", origin); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
				t.Errorf("a WebSocket from %s: %v", origin, err)
			}
		}
	}
}

func TestOriginMayBeTrusted(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, "--origin", "https://shop.example", "--origin", "http://localhost:3000")
	anna := s.signedIn("anna", "anna")
	for _, origin := range []string{"https://shop.example", "http://localhost:3000"} {
		if _, _, err := anna.dial(notificationhub.Path, "Origin", origin); err != nil {
			t.Errorf("a WebSocket from %s: %v", origin, err)
		}
	}
	if _, _, err := anna.dial(notificationhub.Path, "Origin", "https://shop.example.com"); err == nil {
		t.Error("a WebSocket from elsewhere was opened")
	}
}

func TestPollInterval(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, "--poll-interval", "7s")
	if _, page := s.signedIn("anna", "anna").do(http.MethodGet, "/orders", ""); !strings.Contains(page, `"7000"`) {
		t.Errorf("the page does not say to ask again after 7000 ms:\n%s", page)
	}
}

func TestHubsSpeakMessagePack(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, quiet...)
	anna := s.signedIn("anna", "anna")
	for _, path := range []string{notificationhub.Path, orderhub.Path} {
		c, _, err := anna.dial(path)
		if err != nil {
			t.Fatal(err)
		}
		c.write(`{"protocol":"messagepack","version":1}` + "\x1e")
		c.want(`{}`)
	}
}

func TestSecureCookies(t *testing.T) {
	dir, _ := shop(t)
	for args, want := range map[string]string{
		"--secure-cookies=false": `^signalbox=[^;]+; Path=/; (Expires|Max-Age)=[^;]+; .*HttpOnly; SameSite=Lax$`,
		"--secure-cookies":       `^__Host-signalbox=[^;]+; Path=/; .*HttpOnly; Secure; SameSite=Lax$`,
	} {
		s := serve(t, dir, args)
		res, _ := s.visitor().do(http.MethodPost, "/signin", "name=anna&password=anna", "Content-Type", "application/x-www-form-urlencoded")
		if cookie := res.Header.Get("Set-Cookie"); !regexp.MustCompile(want).MatchString(cookie) {
			t.Errorf("%s: the cookie is %q", args, cookie)
		}
		s.stop()
	}
}

func TestNotifications(t *testing.T) {
	dir, key := shop(t)
	s := serve(t, dir, append(quiet, "--topic", "news=everyone", "--topic", "board=user:Anna")...)
	annasPages, ottosPages := s.signedIn("anna", "anna"), s.signedIn("otto", "otto")
	anna, alsoAnna, otto := annasPages.connect(notificationhub.Path), annasPages.connect(notificationhub.Path), ottosPages.connect(notificationhub.Path)
	for _, c := range []*client{anna, alsoAnna, otto} {
		c.want(event("UnreadCountUpdated", 0))
	}

	stored := s.backEnd(key, http.MethodPost, "/notifications",
		object{"users": []string{"anna"}, "title": "Hello", "type": "Success", "data": object{"orderId": "7"}}, http.StatusCreated)
	id := stored["notifications"].([]any)[0].(object)["id"].(string)
	for _, c := range []*client{anna, alsoAnna} {
		got, _, _ := strings.Cut(c.next(), `"createdAt"`)
		if want := `{"type":1,"target":"ReceiveNotification","arguments":[{"id":"` + id + `","sequence":1,"title":"Hello","message":"",` +
			`"type":"Success","data":{"orderId":"7"},"topic":"",`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		c.want(event("UnreadCountUpdated", 1))
	}
	otto.wantNothing()
	late := annasPages.connect(notificationhub.Path)
	late.want(event("UnreadCountUpdated", 1))

	// On the page and by the hub, all see it.
	if res, _ := annasPages.do(http.MethodPost, "/notifications/"+id+"/read", "", "Content-Type", "application/x-www-form-urlencoded"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("marking as read on the page was answered %s", res.Status)
	}
	for _, c := range []*client{anna, alsoAnna, late} {
		c.want(event("NotificationRead", id), event("UnreadCountUpdated", 0))
	}
	if got, want := otto.call("MarkAsRead", id), refused("MarkAsRead", "Notification not found"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	for _, row := range []struct {
		c           *client
		topic, want string
	}{
		{anna, "news", done}, {anna, "board", done}, {otto, "news", done},
		{otto, "board", refused("SubscribeToTopic", "Not authorized for this topic")},
		{otto, "staff", refused("SubscribeToTopic", "Not authorized for this topic")}, // a topic of demonstrations
	} {
		if got := row.c.call("SubscribeToTopic", row.topic); got != row.want {
			t.Errorf("topic %s: got  %s\nwant %s", row.topic, got, row.want)
		}
	}
	toTopic := s.backEnd(key, http.MethodPost, "/notifications", object{"topic": "board", "title": "Minutes"}, http.StatusCreated)
	if n := len(toTopic["notifications"].([]any)); n != 1 {
		t.Errorf("stored for %d users, want anna", n)
	}
	if got := anna.next(); !strings.Contains(got, `"title":"Minutes"`) || !strings.Contains(got, `"topic":"board"`) {
		t.Errorf("anna got %s", got)
	}
	anna.want(event("UnreadCountUpdated", 1))
	otto.wantNothing()
	s.backEnd(key, http.MethodPost, "/notifications", object{"topic": "staff", "title": "t"}, http.StatusNotFound)
	s.backEnd("sbk_made-up", http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "t"}, http.StatusUnauthorized)
	anna.wantNothing()
}

func TestOrders(t *testing.T) {
	dir, key := shop(t)
	s := serve(t, dir, quiet...)
	annasPages, ottosPages := s.signedIn("anna", "anna"), s.signedIn("otto", "otto")
	anna, otto := annasPages.connect(orderhub.Path), ottosPages.connect(orderhub.Path)
	made := s.backEnd(key, http.MethodPut, "/orders/42", object{"owner": "anna"}, http.StatusCreated)
	if made["version"] != 1.0 || made["status"] != "Pending" {
		t.Errorf("the order was made as %v", made)
	}
	idle(t, dir) // or the subscriber is told of what it sees already
	snapshot := func(got, want string) {
		t.Helper()
		if got, _, _ = strings.Cut(got, `,"updatedAt"`); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	snapshot(anna.call("SubscribeToOrder", "42"),
		`{"type":3,"invocationId":"c","result":{"id":"42","status":"Pending","progress":0,"message":"","version":1`)
	for _, id := range []string{"42", "43"} {
		if got, want := otto.call("SubscribeToOrder", id), refused("SubscribeToOrder", "Not authorized to view this order"); got != want {
			t.Errorf("order %s: got  %s\nwant %s", id, got, want)
		}
	}
	for v, want := range map[*visitor]int{annasPages: http.StatusOK, ottosPages: http.StatusNotFound} {
		if res, _ := v.do(http.MethodGet, "/orders/42", ""); res.StatusCode != want {
			t.Errorf("the page of the order was answered %s, want %d", res.Status, want)
		}
	}

	changed := s.backEnd(key, http.MethodPut, "/orders/42", object{"status": "Completed", "progress": 100, "message": "Done"}, http.StatusOK)
	if changed["version"] != 2.0 {
		t.Errorf("the order was changed to %v", changed)
	}
	anna.want(event("OrderStatusUpdated", "42", "Completed", "Done"), event("OrderProgressUpdated", "42", 100), event("OrderCompleted", "42"))
	snapshot(anna.next(),
		`{"type":1,"target":"OrderChanged","arguments":[{"id":"42","status":"Completed","progress":100,"message":"Done","version":2`)
	anna.wantNothing()
	otto.wantNothing()
	s.backEnd(key, http.MethodPut, "/orders/42", object{"owner": "otto"}, http.StatusConflict)
	s.backEnd(key, http.MethodPut, "/orders/42", object{"progress": 101}, http.StatusBadRequest)
	anna.wantNothing()
}

// TestOrderChangesAreAnnounced is the worker's part: a change of status becomes a notification by itself.
func TestOrderChangesAreAnnounced(t *testing.T) {
	dir, key := shop(t)
	s := serve(t, dir, "--order-interval", "10ms")
	anna := s.signedIn("anna", "anna").connect(notificationhub.Path)
	anna.want(event("UnreadCountUpdated", 0))
	s.backEnd(key, http.MethodPut, "/orders/42", object{"owner": "anna", "status": "Shipped"}, http.StatusCreated)
	if got := anna.next(); !strings.Contains(got, `"message":"Your order #42 status changed to Shipped","type":"OrderUpdate","data":{"orderId":"42","status":"Shipped"}`) {
		t.Errorf("anna got %s", got)
	}
	anna.want(event("UnreadCountUpdated", 1))
}
