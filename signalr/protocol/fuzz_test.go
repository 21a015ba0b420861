package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzParseHandshakeRequest checks that a handshake is what stands before the first separator, whatever comes behind it
// or is still missing, and that the answer to a bad one can be read (F-054, F-055).
func FuzzParseHandshakeRequest(f *testing.F) {
	for _, s := range []string{
		`{"protocol":"json","version":1}`, `{"version":1,"protocol":"messagepack"}`, ` { "protocol" : "json" , "version" : 2 } trailing`,
		`{"protocol":"json"}`, `{"version":1}`, `{}`, ``, `[]`, `null`, `"`, `{`, `{"protocol":1,"version":1}`, `{"protocol":"json","version":"1"}`,
		`{"protocol":"json","version":1e3}`, `{"protocol":"json","version":99999999999}`, `{"protocol":"json","protocol":"x","version":-1}`,
		`{"protocol":"\ud800","version":1}`, "{\"protocol\":\"\xff\",\"version\":1}", `{"x":[[[{"y":null}]]],"protocol":"json","version":1}`,
		`{"x":` + strings.Repeat("[", 20000), "\ufeff{}",
	} {
		f.Add([]byte(s), []byte(nil))
		f.Add([]byte(s+"\x1e"), []byte(`{"type":6}`+"\x1e"))
	}
	f.Fuzz(func(t *testing.T, data, behind []byte) {
		before := bytes.Clone(data)
		req, n, err := ParseHandshakeRequest(data)
		if !bytes.Equal(data, before) {
			t.Fatal("the bytes have changed")
		}
		end := bytes.IndexByte(data, RecordSeparator) + 1
		if n != end {
			t.Fatalf("it took %d bytes, the first record has %d", n, end)
		}
		if n == 0 {
			if err != nil || req != (HandshakeRequest{}) {
				t.Fatalf("without a whole record: %+v, %v", req, err)
			}
			return
		}
		again, m, err2 := ParseHandshakeRequest(append(data[:n:n], behind...))
		if again != req || m != n || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Errorf("with other bytes behind it: %+v %d %v, before %+v %d %v", again, m, err2, req, n, err)
		}
		if err == nil {
			return
		}
		answer := AppendHandshakeResponse(nil, err.Error())
		record, separated := bytes.CutSuffix(answer, []byte{RecordSeparator})
		var decoded struct{ Error string }
		if !separated || bytes.IndexByte(record, RecordSeparator) >= 0 || json.Unmarshal(record, &decoded) != nil || decoded.Error == "" {
			t.Errorf("the answer to %q is %q", data[:n], answer)
		}
	})
}
