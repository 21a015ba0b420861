package httpconn

import (
	"net/url"
	"testing"
)

// TestQueryValue: the case of keys does not matter; of a key that is given several times those values count that are not
// empty, joined by commas.
func TestQueryValue(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "id=a": "a", "ID=a": "a", "id=": "", "id=&ID=a": "a", "id=a&id=b": "a,b", "x=a": "",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := queryValue(q, "id"); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}
