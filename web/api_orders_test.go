package web_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestPutOrder(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	steps := []struct {
		name, body, want, tag string
	}{
		{
			"make", `{"owner":"alice"}`,
			`{"id":"A-10.01_x","owner":"alice","status":"Pending","progress":0,"message":"","version":1,
			  "createdAt":"2026-03-04T12:04:00Z","updatedAt":"2026-03-04T12:05:00Z"}`, `"1"`,
		},
		{
			"change all", `{"owner":"alice","status":"Shipped","progress":70,"message":"On its way"}`,
			`{"id":"A-10.01_x","owner":"alice","status":"Shipped","progress":70,"message":"On its way","version":2,
			  "createdAt":"2026-03-04T12:04:00Z","updatedAt":"2026-03-04T12:06:00Z"}`, `"2"`,
		},
		{
			"change one thing", `{"progress":80,"status":null}`,
			`{"id":"A-10.01_x","owner":"alice","status":"Shipped","progress":80,"message":"On its way","version":3,
			  "createdAt":"2026-03-04T12:04:00Z","updatedAt":"2026-03-04T12:07:00Z"}`, `"3"`,
		},
		{
			"change nothing", `{}`,
			`{"id":"A-10.01_x","owner":"alice","status":"Shipped","progress":80,"message":"On its way","version":3,
			  "createdAt":"2026-03-04T12:04:00Z","updatedAt":"2026-03-04T12:07:00Z"}`, `"3"`,
		},
		{
			"take the message away", `{"message":""}`,
			`{"id":"A-10.01_x","owner":"alice","status":"Shipped","progress":80,"message":"","version":4,
			  "createdAt":"2026-03-04T12:04:00Z","updatedAt":"2026-03-04T12:08:00Z"}`, `"4"`,
		},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			r, answer := a.call(http.MethodPut, "/orders/A-10.01_x", tt.body)
			status, location := http.StatusOK, ""
			if tt.name == "make" {
				status, location = http.StatusCreated, "/api/v1/orders/A-10.01_x"
			}
			if r.StatusCode != status || r.Header.Get("ETag") != tt.tag || r.Header.Get("Location") != location {
				t.Errorf("status %d, ETag %s, Location %q; want %d, %s, %q",
					r.StatusCode, r.Header.Get("ETag"), r.Header.Get("Location"), status, tt.tag, location)
			}
			equal(t, answer, tt.want)
		})
	}
}

func TestPutOrderRefused(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.order("1", "bob", "Pending", 0, "")
	tests := []struct {
		name, id, body, field string
		status                int
	}{
		{"no owner", "2", `{"status":"Shipped"}`, "owner", 400},
		{"unknown owner", "2", `{"owner":"mallory"}`, "owner", 400},
		{"another owner", "1", `{"owner":"alice"}`, "", 409},
		{"unknown status", "1", `{"status":"Lost"}`, "status", 400},
		{"empty status", "1", `{"status":""}`, "status", 400},
		{"progress too low", "1", `{"progress":-1}`, "progress", 400},
		{"progress too high", "1", `{"progress":101}`, "progress", 400},
		{"long message", "1", `{"message":"` + strings.Repeat("a", 4001) + `"}`, "message", 400},
		{"blank id", "%20", `{"owner":"alice"}`, "id", 400},
		{"control character in the id", "a%0Ab", `{"owner":"alice"}`, "id", 400},
		{"id is not UTF-8", "%ff", `{"owner":"alice"}`, "id", 400},
		{"slash in the id", "a%2Fb", `{"owner":"alice"}`, "id", 400},
		{"long id", strings.Repeat("9", 65), `{"owner":"alice"}`, "id", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { a.refused(http.MethodPut, "/orders/"+tt.id, tt.body, tt.status, tt.field) })
	}
}

func TestGetOrder(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.order("1", "alice", "Pending", 0, "")
	s.order("1", "", "Confirmed", 10, "Paid")
	r, answer := a.call(http.MethodGet, "/orders/1", "")
	if got := r.Header.Get("ETag"); r.StatusCode != 200 || got != `"2"` {
		t.Errorf("status %d, ETag %s; want 200, \"2\"", r.StatusCode, got)
	}
	equal(t, answer, `{"id":"1","owner":"alice","status":"Confirmed","progress":10,"message":"Paid","version":2,
		"createdAt":"2026-03-04T12:04:00Z","updatedAt":"2026-03-04T12:06:00Z","history":[
		{"version":1,"status":"Pending","progress":0,"message":"","at":"2026-03-04T12:05:00Z"},
		{"version":2,"status":"Confirmed","progress":10,"message":"Paid","at":"2026-03-04T12:06:00Z"}],"historyTotal":2}`)
	for header, want := range map[string]int{
		`"2"`: 304, `W/"2"`: 304, `"1", "2"`: 304, `*`: 304, `"1"`: 200, `2`: 200, ``: 200,
	} {
		r, _ := a.call(http.MethodGet, "/orders/1", "", "If-None-Match", header)
		if r.StatusCode != want || r.Header.Get("ETag") != `"2"` {
			t.Errorf("If-None-Match %s: status %d, ETag %s; want %d", header, r.StatusCode, r.Header.Get("ETag"), want)
		}
	}
	a.refused(http.MethodGet, "/orders/2", "", http.StatusNotFound, "")
}

func TestGetOrders(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.order("1", "alice", "Pending", 0, "")
	s.order("2", "bob", "Pending", 0, "")
	s.order("3", "alice", "Pending", 0, "")
	_, answer := a.call(http.MethodGet, "/orders?owner=alice", "")
	var ids string
	for _, o := range answer["orders"].([]any) {
		ids += o.(map[string]any)["id"].(string)
	}
	if ids != "31" {
		t.Errorf("orders %q, want 3 and 1", ids)
	}
	a.refused(http.MethodGet, "/orders", "", 400, "owner")
	a.refused(http.MethodGet, "/orders?owner=alice&status=Pending", "", 400, "status")
	a.refused(http.MethodGet, "/orders?owner=mallory", "", 404, "")
}

func TestPutOrderConditions(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	const ifMatch, ifNoneMatch = "If-Match", "If-None-Match"
	for _, step := range []struct {
		body, header, value string
		status              int
		tag                 string // after it
	}{
		{`{"owner":"alice"}`, ifMatch, `*`, 412, ""},
		{`{"progress":1}`, ifMatch, `"1"`, 412, ""},
		{`{"owner":"alice"}`, ifMatch, `"0"`, 412, ""},
		{`{"owner":"alice"}`, ifNoneMatch, `*`, 201, `"1"`},
		{`{"owner":"alice","progress":5}`, ifNoneMatch, `*`, 412, ""},
		{`{"progress":10}`, ifMatch, `"1"`, 200, `"2"`},
		{`{"progress":20}`, ifMatch, `"1"`, 412, ""},
		{`{"progress":20}`, ifMatch, `W/"2"`, 412, ""},
		{`{"progress":20}`, ifMatch, `"02", "2,2", "x"`, 412, ""},
		{`{"progress":20}`, ifMatch, `W/"9", "a,b" ,"2"`, 200, `"3"`},
		{`{"progress":30}`, ifMatch, ` * `, 200, `"4"`},
		{`{"progress":30}`, ifMatch, `"4"`, 200, `"4"`},
		{`{"progress":40}`, ifMatch, ``, 400, ""},
		{`{"progress":40}`, ifMatch, `4`, 400, ""},
		{`{"progress":40}`, ifMatch, `"4`, 400, ""},
		{`{"progress":40}`, ifMatch, `"4""3"`, 400, ""},
		{`{"progress":40}`, ifMatch, `"3", *`, 400, ""},
		{`{"progress":40}`, ifNoneMatch, `"4"`, 400, ""},
		{`{"progress":40}`, "Idempotency-Key", `k`, 400, ""},
	} {
		r, answer := a.call(http.MethodPut, "/orders/1", step.body, step.header, step.value)
		if r.StatusCode != step.status || r.Header.Get("ETag") != step.tag {
			t.Errorf("%s: %s with %s: status %d, ETag %s, %v; want %d, %s",
				step.header, step.value, step.body, r.StatusCode, r.Header.Get("ETag"), answer, step.status, step.tag)
		}
		if field, _ := answer["field"].(string); step.status == 400 && field != step.header {
			t.Errorf("%s: %s: field %q", step.header, step.value, field)
		}
	}
	if _, answer := a.call(http.MethodGet, "/orders/1", ""); answer["progress"] != 30.0 || answer["version"] != 4.0 {
		t.Errorf("the order is %v", answer)
	}
	r, _ := a.call(http.MethodPut, "/orders/1", `{"progress":40}`, ifMatch, `"4"`, ifNoneMatch, `*`)
	if r.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("both at once: status %d, want 412", r.StatusCode)
	}
}

func TestGetOrderHistory(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.order("1", "alice", "Pending", 0, "")
	for i := range 149 {
		s.order("1", "", "Processing", i%101, "")
	}
	for query, want := range map[string]int{"": 100, "?history=0": 0, "?history=1": 1, "?history=150": 150, "?history=1000": 150} {
		_, answer := a.call(http.MethodGet, "/orders/1"+query, "")
		history, _ := answer["history"].([]any)
		if len(history) != want || answer["historyTotal"] != 150.0 {
			t.Errorf("%q: %d versions of %v, want %d of 150", query, len(history), answer["historyTotal"], want)
			continue
		}
		if want > 0 && history[want-1].(map[string]any)["version"] != 150.0 {
			t.Errorf("%q: the last version is %v", query, history[want-1])
		}
	}
	for _, query := range []string{"?history=-1", "?history=1001", "?history=x", "?history=1&history=2"} {
		a.refused(http.MethodGet, "/orders/1"+query, "", http.StatusBadRequest, "history")
	}
}
