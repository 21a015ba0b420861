package httpconn

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
)

// RedactingLogger returns a logger that writes what l does, but never a connection token: whoever has one can speak and
// listen for the client. Where a line would have one, even inside the text of an error, it has the connection id that is
// derived from it. That matters with negotiate version 0, whose connection id is the token (F-006). A nil l discards
// everything.
func RedactingLogger(l *slog.Logger) *slog.Logger {
	switch {
	case l == nil:
		return slog.New(slog.DiscardHandler)
	case l.Handler() == slog.DiscardHandler:
		return l
	}
	if _, done := l.Handler().(*redactor); done {
		return l
	}
	return slog.New(&redactor{l.Handler()})
}

// redactor is a handler that takes connection tokens out of records.
type redactor struct{ next slog.Handler }

// Enabled implements [slog.Handler].
func (h *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *redactor) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(redactAttr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler].
func (h *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &redactor{h.next.WithAttrs(redactAttrs(attrs))}
}

// WithGroup implements [slog.Handler].
func (h *redactor) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &redactor{h.next.WithGroup(name)}
}

func redactAttrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = redactAttr(a)
	}
	return clean
}

func redactAttr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(redact(v.String()))
	case slog.KindGroup:
		a.Value = slog.GroupValue(redactAttrs(v.Group())...)
	case slog.KindAny:
		// An error, or what a handler panicked with: it keeps its type unless its text has a token.
		text := fmt.Sprint(v.Any())
		if clean := redact(text); clean != text {
			a.Value = slog.StringValue(clean)
		}
	}
	return a
}

// tokenLength is the length of a connection token as text.
var tokenLength = base64.RawURLEncoding.EncodedLen(tokenSize)

// redact puts the connection id in the place of each token in s, whoever signed it.
func redact(s string) string {
	if len(s) < tokenLength {
		return s
	}
	var clean strings.Builder
	kept := 0
	for start := 0; start <= len(s)-tokenLength; {
		end := start
		for end < len(s) && isTokenByte(s[end]) {
			end++
		}
		// What stands beside a token may look like a part of it.
		for at := start; at+tokenLength <= end; at++ {
			id, ok := tokenID(s[at : at+tokenLength])
			if !ok {
				continue
			}
			clean.WriteString(s[kept:at])
			clean.WriteString(id)
			kept = at + tokenLength
			at = kept - 1
		}
		start = end + 1
	}
	if kept == 0 {
		return s
	}
	return clean.String() + s[kept:]
}

// tokenID returns the connection id of what looks like a token.
func tokenID(s string) (id string, ok bool) {
	if s[0] != 'A' { // the first bits of the format: most of a long text need not be decoded
		return "", false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || b[0] != tokenFormat || b[2]&^(flagVersion1|flagStateful) != 0 {
		return "", false
	}
	return connKey(b[21:tokenHome]).connectionID(), true
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
