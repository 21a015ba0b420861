package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeFile is the part of the Compose specification that is used here. What is misspelled is unknown.
type composeFile struct {
	Name     string
	Node     yaml.Node `yaml:"x-node"`
	Services map[string]service
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]struct{}
	Secrets  map[string]struct{ File string }
}

type service struct {
	Image, Restart  string
	Build           struct{ Context, Dockerfile string }
	ReadOnly        bool     `yaml:"read_only"`
	CapDrop         []string `yaml:"cap_drop"`
	SecurityOpt     []string `yaml:"security_opt"`
	StopGracePeriod string   `yaml:"stop_grace_period"`
	Networks        []string
	Secrets         []struct{ Source, Target string }
	Tmpfs           []string
	Environment     map[string]string
	DependsOn       dependencies `yaml:"depends_on"`
	Ports, Volumes  []string
	Command         []string
	Healthcheck     struct {
		Test              []string
		Interval, Timeout string
		Retries           int
	}
}

// dependencies are a list of names, or a map with conditions.
type dependencies []string

func (d *dependencies) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(d))
	}
	var m map[string]struct{ Condition string }
	if err := n.Decode(&m); err != nil {
		return err
	}
	for name := range m {
		*d = append(*d, name)
	}
	return nil
}

func TestComposeFile(t *testing.T) {
	b, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	var c composeFile
	if err := dec.Decode(&c); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		for _, other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %q, which is no service", name, other)
			}
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s is in network %q, which is none", name, n)
			}
		}
		for _, secret := range s.Secrets {
			if _, ok := c.Secrets[secret.Source]; !ok {
				t.Errorf("%s has secret %q, which is none", name, secret.Source)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, ".") {
				if _, err := os.Stat(from); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s has volume %q, which is none", name, from)
			}
		}
		if f := s.Build.Dockerfile; f != "" {
			if _, err := os.Stat(filepath.Join(s.Build.Context, f)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	options := serverOptions(t)
	addresses := make(map[string]bool)
	for _, name := range []string{"node1", "node2", "node3"} {
		s, ok := c.Services[name]
		if !ok || !s.ReadOnly || s.Image != "signalbox" {
			t.Errorf("service %s is %+v, want our image on a file system that is read only", name, s)
		}
		for option := range s.Environment {
			if !options[option] {
				t.Errorf("%s sets %s, which the server does not know", name, option)
			}
		}
		addresses[s.Environment["SIGNALBOX_INTERNAL_ADDRESS"]] = true
	}
	if len(addresses) != 3 || addresses[""] {
		t.Errorf("the internal addresses are %v, want one for each", addresses)
	}
}

// serverOptions are the variables that the server names in its help.
func serverOptions(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("go", "run", "signalbox/cmd/signalbox", "serve", "--help").Output()
	if err != nil {
		t.Fatalf("asking the server for its options: %v", err)
	}
	names := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\$(SIGNALBOX_\w+)`).FindAllStringSubmatch(string(out), -1) {
		names[m[1]] = true
	}
	return names
}

// TestDockerfile: the image has no user with rights, and the program no libraries.
func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(b), "\nFROM scratch\n")
	for _, want := range []string{"\nUSER 65532:65532\n", "\nENTRYPOINT [\"/signalbox\"]\n", "\nSTOPSIGNAL SIGTERM\n"} {
		if !strings.Contains(last, want) {
			t.Errorf("the last stage lacks %q", want)
		}
	}
	if !strings.Contains(string(b), "CGO_ENABLED=0 go build") {
		t.Error("the program is not static")
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY ([\w./ -]+) \S+$`).FindAllStringSubmatch(string(b), -1) {
		for source := range strings.FieldsSeq(m[1]) {
			if strings.HasPrefix(source, "--") {
				break // from another stage
			}
			if _, err := os.Stat(filepath.Join("..", source)); err != nil {
				t.Errorf("COPY: %v", err)
			}
		}
	}
}

// TestUnit has systemd check the unit, but for the program, which is not installed.
func TestUnit(t *testing.T) {
	program := find(t, "systemd-analyze")
	b, err := os.ReadFile("signalbox.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.Replace(string(b), "/usr/local/bin/signalbox", "/bin/true", 1)
	if unit == string(b) {
		t.Fatal("the unit does not start /usr/local/bin/signalbox")
	}
	path := write(t, t.TempDir(), "signalbox.service", unit)
	out, err := exec.Command(program, "verify", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "signalbox.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
