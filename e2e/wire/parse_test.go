package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTranscript(t *testing.T) {
	t.Parallel()
	got, err := ParseTranscript(`name: sample
about: one of everything
items: F-001 F-002
options: STATEFUL=1 DETAILED=1
ignore: ping ack
match: json
alone: yes
quirk: odd

# a comment
> http p POST /hub/negotiate?x=1
  Content-Type: text/plain
  body: {"a": 1}
< http p 200
  content-length: 3
  !content-type
  body: 
~ within 10 20
> text a a  b ␞
~ quiet a 200
~ wait 1500
< eof a
`)
	if err != nil {
		t.Fatal(err)
	}
	sent, empty := `{"a": 1}`, ""
	want := &Transcript{
		Name: "sample", About: "one of everything", Items: []string{"F-001", "F-002"}, Options: "DETAILED=1 STATEFUL=1",
		Ignore: []string{"ping", "ack"}, MatchJSON: true, Alone: true, Quirk: "odd",
		Steps: []Step{
			{
				Line: 11, Text: "> http p POST /hub/negotiate?x=1", Sign: '>', Verb: "http", Label: "p", Rest: "POST /hub/negotiate?x=1",
				Headers: []Header{{"Content-Type", "text/plain"}}, Body: &sent,
			},
			{
				Line: 14, Text: "< http p 200", Sign: '<', Verb: "http", Label: "p", Rest: "200",
				Headers: []Header{{"content-length", "3"}}, Absent: []string{"content-type"}, Body: &empty,
			},
			{Line: 18, Text: "~ within 10 20", Sign: '~', Verb: "within", Rest: "10 20"},
			{Line: 19, Text: "> text a a  b ␞", Sign: '>', Verb: "text", Label: "a", Rest: "a  b ␞"},
			{Line: 20, Text: "~ quiet a 200", Sign: '~', Verb: "quiet", Label: "a", Rest: "200"},
			{Line: 21, Text: "~ wait 1500", Sign: '~', Verb: "wait", Rest: "1500"},
			{Line: 22, Text: "< eof a", Sign: '<', Verb: "eof", Label: "a"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	if d := got.Duration(); d.Milliseconds() != 1700 {
		t.Errorf("duration %v instead of 1.7s", d)
	}
}

func TestParseTranscriptRefuses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, want string }{
		"no head":            {"> text a x\n", "not a line of the head"},
		"unknown key":        {"name: x\ncolour: red\n\n< eof a\n", "unknown key"},
		"unknown to ignore":  {"name: x\nignore: pong\n\n< eof a\n", "cannot ignore"},
		"unknown step":       {"name: x\n\n> shout a x\n", "unknown step"},
		"verb of other sign": {"name: x\n\n> eof a\n", "unknown step"},
		"no label":           {"name: x\n\n< eof\n", "needs a label"},
		"detail first":       {"name: x\n\n  body: x\n", "without a step"},
		"detail without key": {"name: x\n\n> http p GET /\n  nonsense\n", "neither a header nor a body"},
		"no steps":           {"name: x\n\n", "needs a name and steps"},
		"no name":            {"about: x\n\n< eof a\n", "needs a name and steps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := ParseTranscript(row.text); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v instead of %q", err, row.want)
			}
		})
	}
}

func TestParseMessagePackRecordings(t *testing.T) {
	t.Parallel()
	vectors, err := ParseFrameVectors("# comment\nname\t0291 79*3\t-\t\"\"\tclosed 1000 \"\"\t[]\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]FrameVector{{Name: "name", Sent: []byte{2, 0x91, 'y', 'y', 'y'}, After: `closed 1000 ""`}}, vectors); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
	conversations, err := ParseConversations("# comment\n@ ping\tMAX_MSG=1\tsome text\n>t\t02\t[6]\n#\tremark\nx\tstill open\n\n@ none\t-\t\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Conversation{
		{Name: "ping", About: "some text", Options: "MAX_MSG=1", Events: []ConversationEvent{{Sign: ">t", Data: []byte{2}}, {Sign: "x", End: "still open"}}},
		{Name: "none"},
	}
	if diff := cmp.Diff(want, conversations); diff != "" {
		t.Errorf("conversations (-want +got):\n%s", diff)
	}
	for _, text := range []string{"name\t00\t-\n", "name\t0\t-\t-\talive\n", "name\t00*x\t-\t-\talive\n"} {
		if _, err := ParseFrameVectors(text); err == nil {
			t.Errorf("vector %q is accepted", text)
		}
	}
	for _, text := range []string{"> \t00\n", "@ x\t-\t\n?\t00\n", "@ x\t-\t\n>\t0g\n", "@ x\t-\n"} {
		if _, err := ParseConversations(text); err == nil {
			t.Errorf("conversation %q is accepted", text)
		}
	}
}
