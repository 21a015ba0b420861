package jsonprotocol

import (
	"testing"
	"time"

	"signalbox/signalr/protocol"
)

// TestTimeWithoutDecimals: a decimal point with nothing behind it is read where a zone follows, and only there, as the
// reference does.
func TestTimeWithoutDecimals(t *testing.T) {
	p := New(nil)
	for in, fits := range map[string]bool{
		`"2000-01-01T23:59:59"`: true, `"2000-01-01T23:59:59."`: false, `"2000-01-01T23:59:59.Z"`: true, `"2000-01-01T23:59:59.5"`: true,
	} {
		if err := p.Decode(protocol.RawValue(in), new(time.Time)); (err == nil) != fits {
			t.Errorf("%s: %v, fits: %v", in, err, fits)
		}
	}
}
