package signalr

import (
	"net/http"
	"testing"
	"testing/synctest"
)

// TestDeleteInsideAMessage: a client of long polling that ends its connection in the middle of a message is told that
// this is an error (F-064).
func TestDeleteInsideAMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		target := "/hub?id=" + s.negotiate("/hub")
		s.do(http.MethodGet, target, "")
		s.post(target, jsonHandshake+"\x1e"+`{"type":`)
		s.do(http.MethodGet, target, "")
		last := make(chan string)
		go func() {
			_, body := s.do(http.MethodGet, target, "")
			last <- body
		}()
		synctest.Wait()
		s.do(http.MethodDelete, target, "")
		const want = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}` + "\x1e"
		if got := <-last; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestMessagesOfEverySize: messages that just fill a buffer, or just do not, arrive whole.
func TestMessagesOfEverySize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := hubServer(t, &HubOptions{MaximumReceiveMessageSize: 1 << 20}, nil).connect()
		empty := len(result("c", `""`)) + 1
		for _, size := range []int{126, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072} {
			for n := size - 2; n <= size+2; n++ { // of the whole answer
				text := `"` + pad(n-empty) + `"`
				if got := c.call("Echo", pad(n-empty)); got != result("c", text) {
					t.Fatalf("an answer of %d bytes came as %d bytes", n, len(got)+1)
				}
			}
		}
	})
}

// pad is a text of n bytes, no two neighbours of which are the same.
func pad(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%23)
	}
	return string(b)
}
