// Package msgpackprotocol is the MessagePack hub protocol (F-060, F-073 to F-078).
//
// Envelopes are read by hand. Arguments are only stepped over, which finds truncated values and announced counts that
// cannot be true before anything is allocated for them; they are decoded once the types that they have to become are
// known.
//
// Types with the methods of github.com/tinylib/msgp encode and decode themselves. All others go through a small codec
// of this package, and not through github.com/ugorji/go/codec, because what ASP.NET Core does (MessagePack-CSharp with
// its default resolver and its settings for untrusted data) cannot be configured there. Tried with version 1.3.2, it
// decodes nil as the zero of any type, 1.0 as an integer, bytes as text and text as bytes, an array as a struct or as
// an array of another length, and of a map's equal keys the last; it keeps text that is not UTF-8, has no use for
// MarshalText in a binary format, writes a function or the zero time as nil, and knows nothing of the two ways in which
// .NET writes an integer. A codec that does exactly what is wanted is smaller than the wrapping that would be needed.
//
// How types travel:
//
//   - Integers are written in the smallest form and read from any integer that fits, never from anything else.
//     Floating-point numbers are written as they are and read from any number.
//   - Structs are maps from the names of their fields as declared to the values; the tag `msgpack:"name,omitzero"`
//     renames, with the options omitzero, omitempty and embed of encoding/json/v2. Names match exactly, unknown ones
//     are skipped, of several the last counts.
//   - Types with MarshalText and UnmarshalText are strings: .NET's enumerations travel by name, and neither side takes
//     a number for one.
//   - [time.Time] is the timestamp extension, cut to .NET's 100 ns; it is read as UTC. [time.Duration] is .NET's
//     TimeSpan: an integer that counts 100 ns.
//   - []byte and arrays of bytes are binary. Nil slices, maps, pointers and interfaces are nil, and nil is refused for
//     every other type but string, for which it is "". Text that is not UTF-8 becomes U+FFFD.
//   - Maps are written in the order of their keys, and refused when a key comes twice.
//   - In places of type any, integers keep the width of their type, as .NET writes them: int32(1) is five bytes. int
//     and uint, which .NET has not, are written in the smallest form there too. What is read for any is nil, bool,
//     an integer of the width that came (uint8 for a small one), float32, float64, string, []byte, []any,
//     map[string]any or, when a key is no string, map[any]any, and time.Time.
//   - A [protocol.RawValue] is copied as it is. A nil one is nil.
package msgpackprotocol

import (
	"sync"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/names"
	"signalbox/signalr/transport"
)

// defaultMaxDepth is how deep arrays and maps may be nested in a value (F-078).
const defaultMaxDepth = 500

// Options are the settings of the protocol. The zero value is ASP.NET Core's default.
//
// ASP.NET Core: MessagePackHubProtocolOptions.
type Options struct {
	// MaxDepth is how deep arrays and maps may be nested in a value that is decoded or written; 0 means 500. Members
	// that are skipped may be deeper.
	//
	// ASP.NET Core: MessagePackSecurity.MaximumObjectGraphDepth.
	MaxDepth int
}

// Protocol is the MessagePack hub protocol. It is safe for use by several goroutines.
//
// ASP.NET Core: MessagePackHubProtocol.
type Protocol struct {
	maxDepth int
	types    sync.Map // reflect.Type to *typeInfo
	targets  names.Table
}

var _ protocol.HubProtocol = (*Protocol)(nil)

// New returns the protocol with the given options; nil means the defaults.
func New(opts *Options) *Protocol {
	p := &Protocol{maxDepth: defaultMaxDepth}
	if opts != nil && opts.MaxDepth > 0 {
		p.maxDepth = opts.MaxDepth
	}
	return p
}

// Name returns "messagepack".
func (*Protocol) Name() string { return "messagepack" }

// Version returns 2 (F-059).
func (*Protocol) Version() int { return 2 }

// TransferFormat returns [transport.Binary].
func (*Protocol) TransferFormat() transport.TransferFormat { return transport.Binary }

// Parse implements [protocol.HubProtocol].
func (p *Protocol) Parse(data []byte) (protocol.Message, int, error) {
	size, start, err := readLength(data)
	if err != nil || start == 0 || len(data)-start < size {
		return nil, 0, err
	}
	end := start + size
	m, err := parseMessage(data[start:end:end], &p.targets)
	if err != nil {
		return nil, 0, err
	}
	return m, end, nil
}

// maxLengthBytes is how many bytes the length in front of a message may have.
const maxLengthBytes = 5

// readLength reads the length in front of a message and returns it with the number of its bytes, which is 0 when they
// are not all there (F-060).
func readLength(data []byte) (size, n int, err error) {
	for n < len(data) {
		b := data[n]
		if n == maxLengthBytes-1 && b > 7 {
			return 0, 0, &protocol.DataError{Name: "FormatException", Text: "Messages over 2GB in size are not supported."}
		}
		size |= int(b&0x7F) << (7 * n)
		n++
		if b < 0x80 {
			return size, n, nil
		}
	}
	return 0, 0, nil
}

// appendLength puts the length of the message that starts at dst[start] in front of it.
func appendLength(dst []byte, start int) []byte {
	var prefix [maxLengthBytes]byte
	n := 0
	for rest := len(dst) - start; ; rest >>= 7 {
		prefix[n] = byte(rest) & 0x7F
		n++
		if rest < 0x80 {
			break
		}
		prefix[n-1] |= 0x80
	}
	dst = append(dst, prefix[:n]...)
	copy(dst[start+n:], dst[start:len(dst)-n])
	copy(dst[start:], prefix[:n])
	return dst
}
