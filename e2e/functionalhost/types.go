package main

import (
	"time"

	"github.com/google/uuid"
)

// customObject is what SendCustomObject takes and sends.
type customObject struct {
	Name  *string
	Value int
}

// complexObject has a member of every kind that the protocols treat in their own way. Members that may be null in .NET
// are pointers or slices.
type complexObject struct {
	String    *string
	IntArray  []int32
	ByteArray []byte
	Guid      uuid.UUID // text in both protocols
	DateTime  time.Time
}

// exception is an error that stands for one of .NET, whose name detailed errors show.
type exception struct{ name, text string }

func (e *exception) Error() string     { return e.text }
func (e *exception) ErrorName() string { return e.name }

// invalidOperation returns an error that clients see as .NET's InvalidOperationException.
func invalidOperation(text string) error { return &exception{"InvalidOperationException", text} }
