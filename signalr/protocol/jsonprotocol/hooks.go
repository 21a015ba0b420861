package jsonprotocol

import (
	"encoding"
	"errors"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"signalbox/signalr/protocol"
)

// decodeOptions returns the options of the two ways to decode; see decodeAny.
func (p *Protocol) decodeOptions() (plain, exact json.Options) {
	common := json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsonv1.MatchCaseSensitiveDelimiter(true))
	known := json.JoinUnmarshalers(
		hook[protocol.RawValue](), hook[[]byte](), hook[time.Time](), hook[time.Duration](),
	)
	plain = json.JoinOptions(common, json.WithUnmarshalers(known))
	exact = json.JoinOptions(common, jsontext.AllowDuplicateNames(true),
		json.WithUnmarshalers(json.JoinUnmarshalers(known, json.UnmarshalFromFunc(p.decodeExactly))))
	return plain, exact
}

// hook makes the library decode T by decodeKnown.
func hook[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, dst *T) error {
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		_, err = decodeKnown(value, dst)
		return err
	})
}

// readKind is what decodeExactly has to do for values of a type.
type readKind struct {
	notNull bool // null is refused
	fresh   bool // what the Go value held goes first
	float   bool // a number too large becomes infinity
}

// decodeExactly looks at every value before the library decodes it.
func (p *Protocol) decodeExactly(dec *jsontext.Decoder, dst any) error {
	next := dec.PeekKind()
	kind := p.readKindOf(reflect.TypeOf(dst).Elem())
	switch {
	case kind.notNull && next == 'n':
		return errNull
	case kind.fresh:
		reflect.ValueOf(dst).Elem().SetZero()
	case kind.float && next == '0':
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		v := reflect.ValueOf(dst).Elem()
		f, err := decodeFloat(value, v.Type().Bits())
		v.SetFloat(f)
		return err
	}
	return errors.ErrUnsupported // so the library goes on as it would have without us
}

var (
	jsonUnmarshalers = []reflect.Type{reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[json.Unmarshaler]()}
	textUnmarshaler  = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (p *Protocol) readKindOf(t reflect.Type) readKind {
	if known, ok := p.kinds.Load(t); ok {
		return known.(readKind)
	}
	kind := newReadKind(t)
	p.kinds.Store(t, kind)
	return kind
}

func newReadKind(t reflect.Type) readKind {
	for _, m := range jsonUnmarshalers {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			return readKind{} // whatever comes is for its method
		}
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return readKind{fresh: true}
	case reflect.Struct, reflect.Array:
		return readKind{notNull: true, fresh: true}
	case reflect.Float32, reflect.Float64:
		return readKind{notNull: true, float: true}
	case reflect.String:
		return readKind{notNull: reflect.PointerTo(t).Implements(textUnmarshaler)}
	default:
		return readKind{notNull: true}
	}
}
