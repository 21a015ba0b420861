package main

import (
	"errors"
	"fmt"
	"strconv"
)

// Person, Inner and Complex are the reference server's types. Pointers stand for what may be null there.
type Person struct {
	Name *string
	Age  int32
}

// Inner is a part of Complex.
type Inner struct {
	Name  *string
	Value int32
}

// Complex has a member of every kind.
type Complex struct {
	Text  *string
	Ints  []int32
	D     float64
	Flag  *bool
	Child *Inner
	Nul   *string
	Enum  Colour
}

// Colour is an enum: a number in JSON, a name in MessagePack, as .NET's defaults have it (F-072, F-077).
type Colour int32

var colours = []string{"Red", "Green", "Blue"}

// MarshalText returns the name, or the number of a colour that has none.
func (c Colour) MarshalText() ([]byte, error) {
	if c >= 0 && int(c) < len(colours) {
		return []byte(colours[c]), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

// UnmarshalText reads a name or a number.
func (c *Colour) UnmarshalText(b []byte) error {
	for i, name := range colours {
		if name == string(b) {
			*c = Colour(i)
			return nil
		}
	}
	n, err := strconv.ParseInt(string(b), 10, 32)
	if err != nil {
		return fmt.Errorf("unknown colour %q", b)
	}
	*c = Colour(n)
	return nil
}

// MarshalJSON returns the number.
func (c Colour) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(c), 10), nil }

// UnmarshalJSON reads a number.
func (c *Colour) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 32)
	if err != nil {
		return errors.New("a colour is a number")
	}
	*c = Colour(n)
	return nil
}

// exception is an error that stands for one of .NET, whose name detailed errors show.
type exception struct{ name, text string }

func (e *exception) Error() string     { return e.text }
func (e *exception) ErrorName() string { return e.name }

// argumentNull is the error of a parameter that must not be null.
func argumentNull(parameter string) error {
	return &exception{"ArgumentNullException", "Value cannot be null. (Parameter '" + parameter + "')"}
}
