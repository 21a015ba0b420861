package wire

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Transcript is one recorded scenario of the JSON hub protocol.
type Transcript struct {
	// Name is the file name without its extension, About one sentence.
	Name, About string
	// Items are the numbers (F-nnn) of the wire contract that the scenario shows.
	Items []string
	// Options are the options of the server, KEY=VALUE in alphabetical order with spaces between; empty for none.
	Options string
	// Ignore names the messages from the server that are skipped wherever they come: "ping" and "ack".
	Ignore []string
	// MatchJSON says that hub messages are compared as JSON values and not byte by byte.
	MatchJSON bool
	// Alone says that the scenario sends to all connections, so that nothing may run beside it on its server.
	Alone bool
	// Quirk, if not empty, says what odd thing the recorded server does; another server may decide otherwise.
	Quirk string
	// Steps are played in order.
	Steps []Step
}

// Step is one line of a transcript with the indented lines that belong to it.
type Step struct {
	// Line is the number of the line in the file, from 1, and Text the line itself.
	Line int
	Text string
	// Sign is '>' for what the client does, '<' for what the server must do, '~' for time and order.
	Sign byte
	// Verb says what is done. Label names the connection or exchange; a few '~' steps have none.
	// Rest is what follows them.
	Verb, Label, Rest string
	// Headers are sent, or expected. Absent headers (lower case) must not be in the answer.
	Headers []Header
	Absent  []string
	// Body is the payload to send, or to expect; nil for none, or for any.
	Body *string
}

// Header is one line of an HTTP head.
type Header struct{ Name, Value string }

// verbs maps the sign and verb of every known step to whether a label follows the verb.
var verbs = map[string]bool{
	"> http": true, "> ws.open": true, "> sse.open": true, "> lp.open": true, "> post": true,
	"> text": true, "> bin": true, "> frame": true, "> write": true, "> close": true, "> drop": true,
	"< http": true, "< ws.open": true, "< sse.open": true,
	"< text": true, "< bin": true, "< raw": true, "< pong": true, "< close": true, "< gone": true, "< eof": true, "< end": true,
	"~ quiet": true, "~ skip": true, "~ wait": false, "~ within": false, "~ anyorder": false,
}

// LoadTranscripts reads the transcripts that match a pattern of [fs.Glob], in the order of their names.
func LoadTranscripts(fsys fs.FS, pattern string) ([]*Transcript, error) {
	files, err := fs.Glob(fsys, pattern)
	if err != nil {
		return nil, fmt.Errorf("list transcripts: %w", err)
	}
	slices.Sort(files)
	transcripts := make([]*Transcript, 0, len(files))
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read transcript: %w", err)
		}
		t, err := ParseTranscript(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if t.Name != strings.TrimSuffix(path.Base(file), path.Ext(file)) {
			return nil, fmt.Errorf("%s: the transcript is named %q", file, t.Name)
		}
		transcripts = append(transcripts, t)
	}
	return transcripts, nil
}

// ParseTranscript reads one transcript: a head of "key: value" lines, an empty line, then one step a line.
// It refuses keys and steps that it does not know.
func ParseTranscript(text string) (*Transcript, error) {
	t := &Transcript{Ignore: []string{"ping"}}
	inHead := true
	for i, line := range strings.Split(text, "\n") {
		var err error
		switch {
		case strings.HasPrefix(line, "#"):
		case inHead && line == "":
			inHead = false
		case inHead:
			err = t.parseHead(line)
		case line == "":
		case strings.HasPrefix(line, "  "):
			err = t.parseDetail(line[2:])
		default:
			err = t.parseStep(i+1, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", i+1, line, err)
		}
	}
	if t.Name == "" || len(t.Steps) == 0 {
		return nil, fmt.Errorf("a transcript needs a name and steps")
	}
	return t, nil
}

func (t *Transcript) parseHead(line string) error {
	key, value, ok := strings.Cut(line, ": ")
	if !ok {
		return fmt.Errorf("not a line of the head")
	}
	switch key {
	case "name":
		t.Name = value
	case "about":
		t.About = value
	case "items":
		t.Items = strings.Fields(value)
	case "options":
		if value != "-" {
			options := strings.Fields(value)
			slices.Sort(options)
			t.Options = strings.Join(options, " ")
		}
	case "ignore":
		t.Ignore = strings.Fields(value)
		for _, what := range t.Ignore {
			if what != "ping" && what != "ack" && what != "none" {
				return fmt.Errorf("cannot ignore %q", what)
			}
		}
	case "match":
		t.MatchJSON = value == "json"
	case "alone":
		t.Alone = value == "yes"
	case "quirk":
		t.Quirk = value
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

func (t *Transcript) parseStep(number int, line string) error {
	sign, rest, _ := strings.Cut(line, " ")
	verb, rest, _ := strings.Cut(rest, " ")
	labelled, known := verbs[sign+" "+verb]
	if !known {
		return fmt.Errorf("unknown step")
	}
	step := Step{Line: number, Text: line, Sign: sign[0], Verb: verb}
	if labelled {
		if step.Label, rest, _ = strings.Cut(rest, " "); step.Label == "" {
			return fmt.Errorf("%s needs a label", verb)
		}
	}
	step.Rest = rest
	t.Steps = append(t.Steps, step)
	return nil
}

func (t *Transcript) parseDetail(line string) error {
	if len(t.Steps) == 0 {
		return fmt.Errorf("indented line without a step")
	}
	step := &t.Steps[len(t.Steps)-1]
	if name, ok := strings.CutPrefix(line, "!"); ok {
		step.Absent = append(step.Absent, strings.ToLower(strings.TrimSpace(name)))
		return nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("neither a header nor a body")
	}
	value = strings.TrimPrefix(value, " ")
	if name == "body" {
		step.Body = &value
	} else {
		step.Headers = append(step.Headers, Header{name, value})
	}
	return nil
}

// Duration is how long the scenario waits in any case, the sum of its wait and quiet steps. It tells long
// scenarios, which should be started first, from short ones.
func (t *Transcript) Duration() time.Duration {
	var sum time.Duration
	for _, step := range t.Steps {
		if step.Verb == "wait" || step.Verb == "quiet" {
			d, _ := parseMillis(step.Rest) // a step with a bad number fails when it is played
			sum += d
		}
	}
	return sum
}

func parseMillis(text string) (time.Duration, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("milliseconds: %w", err)
	}
	return time.Duration(n) * time.Millisecond, nil
}
