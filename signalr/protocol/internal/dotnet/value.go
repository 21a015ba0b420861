package dotnet

import (
	"reflect"
	"time"
)

// The first and the last moment that a DateTime can hold.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// IsDateTime says whether t lies in the years 1 to 9999 UTC, which is what .NET's DateTime can hold.
func IsDateTime(t time.Time) bool { return !t.Before(minTime) && !t.After(maxTime) }

// Tick is the unit in which .NET counts time.
const Tick = 100 * time.Nanosecond

// TypeName returns the name that .NET has for the counterpart of t, such as "Int32" for int and int32, or Go's name
// for t when there is none. Error texts show it to clients.
func TypeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return "DateTime"
	case reflect.TypeFor[time.Duration]():
		return "TimeSpan"
	case reflect.TypeFor[[]byte]():
		return "Byte[]"
	}
	if t.PkgPath() != "" {
		return t.Name()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "Boolean"
	case reflect.Int, reflect.Int32:
		return "Int32"
	case reflect.Int8:
		return "SByte"
	case reflect.Int16:
		return "Int16"
	case reflect.Int64:
		return "Int64"
	case reflect.Uint, reflect.Uint32:
		return "UInt32"
	case reflect.Uint8:
		return "Byte"
	case reflect.Uint16:
		return "UInt16"
	case reflect.Uint64:
		return "UInt64"
	case reflect.Float32:
		return "Single"
	case reflect.Float64:
		return "Double"
	case reflect.String:
		return "String"
	default:
		return t.String()
	}
}
