package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"signalbox/bench/load"
	"signalbox/bench/proc"
	"signalbox/bench/report"
	"signalbox/signalr/redisbackplane/redistest"
)

// options are the settings of a run.
type options struct {
	scale    scale
	rounds   int
	only     string
	servers  string
	out      string
	samples  string
	with     string
	profiles string
	quiet    time.Duration
	calm     float64
	progress io.Writer
}

// suite is a run under way.
type suite struct {
	options
	root    string // of this module
	dir     string // for what is built
	cert    string
	key     string
	peers   []*peer
	node    *peer     // a farm's server, once it is built
	noRedis error     // why there is no farm
	earlier int       // rounds of an earlier run that is part of the report
	others  []float64 // cores that the rest of the machine used, for each measurement
	doc     *report.Document
	samples io.Writer
}

// run measures what the options name and writes the report.
func run(ctx context.Context, o options) (err error) {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "signalbox-bench-")
	if err != nil {
		return fmt.Errorf("a folder for what is built: %w", err)
	}
	defer os.RemoveAll(dir)
	s := &suite{options: o, root: root, dir: dir, samples: io.Discard, doc: &report.Document{Sections: sections(o.scale)}}
	if s.cert, s.key, err = writeCertificate(dir); err != nil {
		return err
	}
	if o.samples != "" {
		f, err := os.OpenFile(o.samples, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("opening the file of samples: %w", err)
		}
		defer f.Close()
		s.samples = f
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.addEarlier(); err != nil {
		return err
	}
	if err := s.measureAll(ctx); err != nil {
		return err
	}
	s.describe()
	var b bytes.Buffer
	if err := s.doc.Write(&b); err != nil {
		return err
	}
	if o.out == "" {
		_, err = os.Stdout.Write(b.Bytes())
		return err
	}
	return os.WriteFile(o.out, b.Bytes(), 0o644)
}

// addEarlier adds what an earlier run has measured.
func (s *suite) addEarlier() error {
	if s.with == "" {
		return nil
	}
	b, err := os.ReadFile(s.with)
	if err != nil {
		return fmt.Errorf("reading the samples of an earlier run: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var r struct {
			report.Record
			Sample load.Sample `json:"sample"`
		}
		if err := d.Decode(&r); err != nil {
			return fmt.Errorf("%s is not a file of samples: %w", s.with, err)
		}
		s.doc.Records = append(s.doc.Records, r.Record)
		s.earlier = max(s.earlier, r.Round)
		if r.Sample.Time > 0 {
			s.others = append(s.others, othersOf(r.Sample))
		}
	}
	return nil
}

// moduleRoot finds the folder of this module, in which the program is run.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !bytes.HasPrefix(b, []byte("module signalbox/bench\n")) {
		return "", fmt.Errorf("run it in the folder bench of the repository, not in %s", dir)
	}
	return dir, nil
}

// prepare builds the servers that were asked for, and leaves out those that cannot run here. Ours must.
func (s *suite) prepare(ctx context.Context) error {
	for _, p := range peers() {
		if s.servers != "" && !slices.Contains(strings.Split(s.servers, ","), p.Key) {
			continue
		}
		fmt.Fprintf(s.progress, "building %s\n", p.Key)
		if err := p.prepare(ctx, s.root, s.dir); err != nil {
			if p.Key == ours {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			fmt.Fprintf(s.progress, "left out: %s: %v\n", p.Name, err)
			s.doc.LeftOut = append(s.doc.LeftOut, report.LeftOut{Name: p.Name, Why: err.Error()})
			continue
		}
		s.peers = append(s.peers, p)
	}
	if len(s.peers) == 0 {
		return errors.New("there is no server to measure")
	}
	if _, s.noRedis = redistest.Find(); s.noRedis != nil {
		s.doc.LeftOut = append(s.doc.LeftOut, report.LeftOut{Name: "Redis", Why: s.noRedis.Error()})
	}
	return nil
}

// wanted says whether the scenario was asked for.
func (s *suite) wanted(c scenario) bool {
	if c.redis != nil && s.noRedis != nil {
		return false
	}
	if s.only == "" {
		return true
	}
	for word := range strings.SplitSeq(s.only, ";") {
		if word = strings.TrimSpace(word); word != "" && strings.Contains(c.section+"/"+c.name, word) {
			return true
		}
	}
	return false
}

// measureAll lets the servers take turns in each scenario, and another one begin in each round.
func (s *suite) measureAll(ctx context.Context) error {
	for round := 1; round <= s.rounds; round++ {
		for _, c := range scenarios(s.scale) {
			if !s.wanted(c) {
				continue
			}
			for i := range s.peers {
				p := s.peers[(i+round-1)%len(s.peers)]
				if !p.can(c) {
					continue
				}
				if err := s.measure(ctx, round, c, p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measure lets a fresh process of one server do one scenario. That a server fails is a result; only a run that is to end
// is an error.
func (s *suite) measure(ctx context.Context, round int, c scenario, p *peer) error {
	if c.redis == nil { // what is counted does not depend on others
		if err := s.waitQuiet(ctx); err != nil {
			return err
		}
	}
	record := report.Record{Section: c.section, Case: c.name, Server: p.Key, Round: round}
	sample, note, err := s.calmSample(ctx, c, p)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		record.Failed = err.Error()
	} else {
		record.Values, record.Note = valuesOf(c.section, sample), note
		if sample.Time > 0 {
			s.others = append(s.others, othersOf(sample))
		}
	}
	s.doc.Records = append(s.doc.Records, record)
	fmt.Fprintf(s.progress, "%d %s/%s %s: %s\n", round, c.section, c.name, p.Key, line(s.doc.Sections, record, sample))
	text, err := json.Marshal(struct {
		report.Record
		Sample load.Sample `json:"sample"`
	}{record, sample})
	if err != nil {
		return fmt.Errorf("writing a sample: %w", err)
	}
	if _, err := s.samples.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing a sample: %w", err)
	}
	return nil
}

// calmTries is how often a measurement is made for the machine to be calm; then the calmest counts.
const calmTries = 4

// calmSample measures again when the rest of the machine, or of the machine that it is a part of, was too busy.
func (s *suite) calmSample(ctx context.Context, c scenario, p *peer) (best load.Sample, note string, err error) {
	for try := 1; ; try++ {
		sample, said, err := s.sample(ctx, c, p)
		if err != nil {
			return sample, said, err
		}
		if try == 1 || othersOf(sample) < othersOf(best) {
			best, note = sample, said
		}
		if s.calm == 0 || othersOf(best) <= s.calm || try == calmTries {
			return best, note, nil
		}
		fmt.Fprintf(s.progress, "  again: others used %.2f cores\n", othersOf(sample))
	}
}

// othersOf is how many cores were used by others than the server and the generator.
func othersOf(s load.Sample) float64 {
	if s.Time <= 0 {
		return 0
	}
	return s.Others.Seconds() / s.Time.Seconds()
}

func (s *suite) sample(ctx context.Context, c scenario, p *peer) (_ load.Sample, note string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, caseTimeout, fmt.Errorf("it takes more than %v", caseTimeout))
	defer cancel()
	if c.redis != nil {
		return s.sampleRedis(ctx, c.redis, p)
	}
	scheme, environment, command := "http", []string(nil), p.command
	if c.tls {
		scheme = "https"
		const kestrel = "Kestrel__Certificates__Default__"
		environment = []string{kestrel + "Path=" + s.cert, kestrel + "KeyPath=" + s.key}
		if p.dir != "" {
			command = append(slices.Clone(command), "--cert", s.cert, "--key", s.key)
		}
	}
	host, err := start(ctx, command, environment, scheme)
	if err != nil {
		return load.Sample{}, "", err
	}
	defer func() {
		if stopErr := host.stop(); err == nil {
			err = stopErr
		}
	}()
	if p.dir == "" && p.Version == "" {
		p.Version = ".NET " + proc.DotnetVersion(host.pid())
	}
	profiled := s.profile(ctx, c, p, host)
	sample, err := c.run(ctx, p.targetOf(c, host))
	<-profiled
	if err != nil {
		return load.Sample{}, "", err
	}
	if sample.Slow != "" {
		note = sample.Slow
		if told := host.disconnects(); strings.HasPrefix(p.Key, ours) && len(told) > 0 {
			note += ": " + told[0]
		}
	}
	return sample, note, nil
}

// profile takes a CPU profile of our server while it is measured. The channel is closed when it is written.
func (s *suite) profile(ctx context.Context, c scenario, p *peer, host *process) <-chan struct{} {
	done := make(chan struct{})
	if s.profiles == "" || p.Key != ours || c.tls {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		if err := s.takeProfile(ctx, c, host); err != nil {
			fmt.Fprintf(s.progress, "no profile of %s/%s: %v\n", c.section, c.name, err)
		}
	}()
	return done
}

func (s *suite) takeProfile(ctx context.Context, c scenario, host *process) error {
	pause := time.NewTimer(s.scale.Warmup)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", host.url, max(int(s.scale.Duration/time.Second), 1))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.profiles, 0o755); err != nil {
		return err
	}
	name := strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(c.section + "-" + c.name)
	return os.WriteFile(filepath.Join(s.profiles, name+".pprof"), b, 0o644)
}

// waitQuiet waits until the rest of the machine uses less than a fifth of a core, but not for ever.
func (s *suite) waitQuiet(ctx context.Context) error {
	for end := time.Now().Add(s.quiet); time.Now().Before(end); {
		before, err := proc.Busy()
		if err != nil {
			return err
		}
		const look = 700 * time.Millisecond
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		after, err := proc.Busy()
		if err != nil {
			return err
		}
		if after-before < look/5 {
			return nil
		}
	}
	return nil
}

// describe says in the report what was measured and where.
func (s *suite) describe() {
	s.doc.Machine = proc.Machine()
	s.doc.Date = time.Now().UTC().Format("2 January 2006")
	others := report.SpreadOf(s.others)
	rounds := fmt.Sprintf("%d rounds", s.rounds)
	if s.earlier > 0 {
		rounds += fmt.Sprintf(", and up to %d of earlier runs for other scenarios", s.earlier)
	}
	s.doc.Settings = fmt.Sprintf("%s, servers in turn, a fresh process for each measurement; "+
		"at least %v of warm-up and %v of measurement under load. "+
		"Numbers are medians, with the smallest and the largest in parentheses. "+
		"The generator, built with %s, runs on the same machine; everything else on it used %.2f cores meanwhile "+
		"(median, %.2f at most).",
		rounds, s.scale.Warmup, s.scale.Duration, runtime.Version(), others.Median, others.Max)
	for _, p := range s.peers {
		s.doc.Servers = append(s.doc.Servers, p.Server)
	}
}

// line is what the terminal shows of a record.
func line(sections []report.Section, r report.Record, s load.Sample) string {
	if r.Failed != "" {
		return "FAILED " + r.Failed
	}
	var parts []string
	for _, section := range sections {
		for _, m := range section.Metrics {
			if v, ok := r.Values[m.Key]; ok && section.Key == r.Section {
				parts = append(parts, fmt.Sprintf("%s %.*f", m.Name, m.Digits, v))
			}
		}
	}
	if s.Time > 0 {
		parts = append(parts, fmt.Sprintf("(cores: server %.2f, generator %.2f, others %.2f)",
			s.CPU.Seconds()/s.Time.Seconds(), s.Own.Seconds()/s.Time.Seconds(), s.Others.Seconds()/s.Time.Seconds()))
	}
	if r.Note != "" {
		parts = append(parts, r.Note)
	}
	return strings.Join(parts, "  ")
}
