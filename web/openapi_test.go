package web

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

// description is what the tests read of the document.
type description struct {
	OpenAPI string `json:"openapi"`
	Servers []struct {
		URL string `json:"url"`
	} `json:"servers"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Enum       []string `json:"enum"`
			Properties map[string]struct {
				MaxLength int `json:"maxLength"`
			} `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func readDescription(t *testing.T) description {
	t.Helper()
	var d description
	if err := json.Unmarshal(openAPIDocument, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	d := readDescription(t)
	if d.OpenAPI != "3.1.0" || len(d.Servers) != 1 || d.Servers[0].URL != apiPrefix {
		t.Errorf("OpenAPI %s at %v, want 3.1.0 at %s", d.OpenAPI, d.Servers, apiPrefix)
	}
	var described, served []string
	for path, operations := range d.Paths {
		for method := range operations {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, route := range new(Server).apiRoutes() {
		served = append(served, route.method+" "+route.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("routes (-) and document (+) differ:\n%s", diff)
	}
}

func TestOpenAPIDescribesTheDomain(t *testing.T) {
	d := readDescription(t)
	for name, want := range map[string]string{
		"NotificationType": names(signalbox.NotificationTypes),
		"OrderStatus":      names(signalbox.OrderStatuses),
	} {
		if got := strings.Join(d.Components.Schemas[name].Enum, ", "); got != want {
			t.Errorf("%s is one of %s, want %s", name, got, want)
		}
	}
	request := d.Components.Schemas["NotificationRequest"].Properties
	if title, message := request["title"].MaxLength, request["message"].MaxLength; title != signalbox.MaxTitleLength || message != signalbox.MaxMessageLength {
		t.Errorf("the longest title and message are %d and %d, want %d and %d",
			title, message, signalbox.MaxTitleLength, signalbox.MaxMessageLength)
	}
}

// names lists the values of a type whose values travel as their names.
func names[T ~string](values []T) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return strings.Join(list, ", ")
}

// Schemas that nothing refers to are leftovers.
func TestOpenAPIUsesItsSchemas(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(readDescription(t).Components.Schemas)) {
		if !strings.Contains(string(openAPIDocument), `"#/components/schemas/`+name+`"`) {
			t.Errorf("schema %s is not used", name)
		}
	}
}
