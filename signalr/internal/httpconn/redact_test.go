package httpconn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

// TestRedactingLogger: wherever a token stands, the line has the connection id instead.
func TestRedactingLogger(t *testing.T) {
	tokens, err := newTokens(nil)
	if err != nil {
		t.Fatal(err)
	}
	tok := token{key: newConnKey(), issued: time.Now(), endpoint: 7, user: 8}
	secret, id := tokens.encode(tok), tok.key.connectionID()
	for _, row := range []struct {
		name string
		log  func(l *slog.Logger)
		want string // the token stands for itself
	}{
		{"a string", func(l *slog.Logger) { l.Info("m", "connection", secret) }, `connection=TOKEN`},
		{"the message", func(l *slog.Logger) { l.Info("lost " + secret) }, `msg="lost TOKEN"`},
		{"an error", func(l *slog.Logger) { l.Info("m", "error", fmt.Errorf("at '%s': %w", secret, errors.ErrUnsupported)) },
			`error="at 'TOKEN': unsupported operation"`},
		{"a panic", func(l *slog.Logger) { l.Info("m", "panic", struct{ A, B string }{secret, "b"}) }, `panic="{TOKEN b}"`},
		{"a query", func(l *slog.Logger) { l.Info("m", "error", errors.New("GET /c?a=1&id="+secret+"&b=2")) },
			`error="GET /c?a=1&id=TOKEN&b=2"`},
		{"twice, with other letters beside", func(l *slog.Logger) { l.Info("m", "s", "xx"+secret+secret+"_") }, `s=xxTOKENTOKEN_`},
		{"a group", func(l *slog.Logger) { l.Info("m", slog.Group("g", "a", secret)) }, `g.a=TOKEN`},
		{"with", func(l *slog.Logger) { l.With("a", secret).WithGroup("g").Info("m", "b", 1) }, `a=TOKEN g.b=1`},
		{"what resolves late", func(l *slog.Logger) { l.Info("m", "a", lateValue(secret)) }, `a=TOKEN`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			row.log(RedactingLogger(slog.New(slog.NewTextHandler(&out, nil))))
			if want := strings.ReplaceAll(row.want, "TOKEN", id); !strings.Contains(out.String(), want) || strings.Contains(out.String(), secret) {
				t.Errorf("got  %swant %s in it", out.String(), want)
			}
		})
	}
}

type lateValue string

func (v lateValue) LogValue() slog.Value { return slog.StringValue(string(v)) }

// TestRedactingLoggerKeeps: what is no token is left as it is, and so are the types of values.
func TestRedactingLoggerKeeps(t *testing.T) {
	var got []slog.Attr
	l := RedactingLogger(slog.New(attrsHandler(func(a []slog.Attr) { got = a })))
	cause := errors.New("short " + strings.Repeat("x", tokenLength))
	l.Info("m", "error", cause, "n", 5, "text", strings.Repeat("AQ", 200), "no text", []int{1})
	if len(got) != 4 || got[0].Value.Any() != error(cause) || got[1].Value.Int64() != 5 ||
		got[2].Value.String() != strings.Repeat("AQ", 200) || fmt.Sprint(got[3].Value.Any()) != "[1]" {
		t.Errorf("got %v", got)
	}
	if RedactingLogger(l) != l {
		t.Error("a logger that redacts is wrapped again")
	}
	if RedactingLogger(nil).Enabled(t.Context(), slog.LevelError) {
		t.Error("no logger writes something")
	}
}

// attrsHandler is given the attributes of each record.
type attrsHandler func([]slog.Attr)

func (attrsHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h attrsHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h attrsHandler) WithGroup(string) slog.Handler          { return h }
func (h attrsHandler) Handle(_ context.Context, r slog.Record) error {
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	h(attrs)
	return nil
}

// TestRedactingHandler holds the handler to the rules of all handlers.
func TestRedactingHandler(t *testing.T) {
	var out bytes.Buffer
	h := RedactingLogger(slog.New(slog.NewJSONHandler(&out, nil))).Handler()
	err := slogtest.TestHandler(h, func() (lines []map[string]any) {
		for line := range bytes.Lines(out.Bytes()) {
			var m map[string]any
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, m)
		}
		return lines
	})
	if err != nil {
		t.Error(err)
	}
}
