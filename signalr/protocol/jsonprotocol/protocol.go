// Package jsonprotocol is the JSON hub protocol (F-060, F-065 to F-072).
//
// Envelopes are scanned by hand in one pass; arguments, items and results stay slices of the input until the type that
// they have to become is known. They are decoded by github.com/go-json-experiment/json, which is to become the
// standard library's encoding/json/v2, with the rules of ASP.NET Core's serializer: names of members match without
// regard to case, unknown members are skipped, of several members with one name the last counts, null is refused
// where .NET has a value type (bool, numbers, structs, arrays, [time.Time]), and a number fits an integer only when it
// is spelled as one.
//
// Values are written by this package itself. ASP.NET Core names members in camel case, escapes text by a list of its
// own and spells numbers as .NET does; to get that out of the library every single value has to pass through a hook,
// which was measured to make writing three (structs) to fourteen times (slices of numbers) slower. Struct tags mean what
// they mean to the library, but for the option embed on maps and the option format, which are not supported.
//
// How types travel:
//
//   - Structs are objects. A field that its json tag does not name is named by [Options.PropertyNames].
//   - Types with MarshalJSON, MarshalJSONTo, UnmarshalJSON or UnmarshalJSONFrom decide for themselves; types with
//     MarshalText and UnmarshalText are strings.
//   - [time.Time] is ISO 8601 with up to seven decimals. A time in UTC ends in Z, any other in its offset. A time that
//     is read with an offset becomes local time, and one without any zone is taken as UTC and written back without
//     zone, as .NET's DateTime does it.
//   - [time.Duration] is .NET's TimeSpan: 1.02:03:04.5000000 is one day, two hours and so on.
//   - []byte is base64. Nil slices, maps and pointers are null. Maps are written in the order of their keys.
//   - NaN and the infinities cannot be written, and the name of an unknown member must be text although nobody reads it.
//   - A [protocol.RawValue] is any JSON: it is read as it came, and written without white space and with its strings
//     escaped anew. A nil one is null.
package jsonprotocol

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/names"
	"signalbox/signalr/transport"
)

// recordSeparator ends every message. It cannot occur inside JSON text.
const recordSeparator = 0x1E

// maxDepth is how deep objects and arrays may be nested, the message itself included (F-072).
const maxDepth = 64

// NamePolicy says how a struct field is named on the wire when its json tag has no name.
//
// ASP.NET Core: JsonNamingPolicy.
type NamePolicy uint8

const (
	// CamelCase turns UserName into userName, ID into id and URLValue into urlValue. It is what ASP.NET Core does.
	CamelCase NamePolicy = iota
	// AsDeclared leaves the names as they are.
	AsDeclared
)

// Options are the settings of the protocol. The zero value is ASP.NET Core's default.
//
// ASP.NET Core: JsonHubProtocolOptions.
type Options struct {
	// PropertyNames names the struct fields that are written. What is read matches without regard to case anyway.
	PropertyNames NamePolicy
}

// Protocol is the JSON hub protocol. It is safe for use by several goroutines.
//
// ASP.NET Core: JsonHubProtocol.
type Protocol struct {
	names NamePolicy
	types sync.Map // reflect.Type to *typeInfo: how a type is written
	kinds sync.Map // reflect.Type to readKind: how a type is read

	targets names.Table

	// plain reads values in which no type needs more care than its own hook, exact all of them; see decode.
	plain, exact json.Options
}

var _ protocol.HubProtocol = (*Protocol)(nil)

// New returns the protocol with the given options; nil means the defaults.
func New(opts *Options) *Protocol {
	p := &Protocol{}
	if opts != nil {
		p.names = opts.PropertyNames
	}
	p.plain, p.exact = p.decodeOptions()
	return p
}

// Name returns "json".
func (*Protocol) Name() string { return "json" }

// Version returns 2 (F-059).
func (*Protocol) Version() int { return 2 }

// TransferFormat returns [transport.Text].
func (*Protocol) TransferFormat() transport.TransferFormat { return transport.Text }

// Parse implements [protocol.HubProtocol]. Whatever breaks the rules of JSON anywhere in a message is an error, also in
// its arguments (F-070); but text that is not UTF-8 or has half a surrogate pair is only found where it is used.
func (p *Protocol) Parse(data []byte) (protocol.Message, int, error) {
	end := bytes.IndexByte(data, recordSeparator)
	if end < 0 {
		return nil, 0, nil
	}
	m, err := parseMessage(data[:end:end], &p.targets)
	if err != nil {
		return nil, 0, err
	}
	return m, end + 1, nil
}
