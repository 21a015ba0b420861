package httpconn

import (
	"net/http"
	"testing"
)

// TestQueryValue: the case of keys does not matter; of a key that is given several times those values count that are not
// empty, joined by commas; what is no proper escape stands for itself.
func TestQueryValue(t *testing.T) {
	for query, want := range map[string]string{
		"id=a": "a", "ID=a": "a", "id=&ID=a": "a", "id=a&id=b": "a,b", "id=&id=": "", "i%64=a%20b+c%2B": "a b c+",
		"id=%zz": "%zz", "id=%": "%", "id=%4": "%4", "id=x;y": "x;y", "x=1;id=2&id=3": "3", "id=a=b": "a=b",
	} {
		if got, ok := queryValue(request(t.Context(), http.MethodGet, "/c?"+query, ""), "id"); got != want || !ok {
			t.Errorf("%q: %q, %t, want %q", query, got, ok, want)
		}
	}
	for _, query := range []string{"", "id=", "id", "x=a", "&", "=a"} {
		if got, ok := queryValue(request(t.Context(), http.MethodGet, "/c?"+query, ""), "id"); ok {
			t.Errorf("%q: %q, want none", query, got)
		}
	}
}

// TestUnreadableID: an id that cannot be read is unknown, not missing, by which a WebSocket would be a new connection.
func TestUnreadableID(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"%zz", "x;y", "&id="} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			wantAnswer(t, method+" "+id, b.do(method, "/c?id="+id, ""), http.StatusNotFound, "text/plain", unknown)
		}
	}
	wantAnswer(t, "CONNECT", b.do(http.MethodConnect, "/c", ""), http.StatusBadRequest, "text/plain", "Connection ID required") // F-001
}
