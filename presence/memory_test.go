package presence_test

import (
	"slices"
	"testing"

	"signalbox"
	"signalbox/presence"
	"signalbox/presence/presencetest"
)

func TestMemory(t *testing.T) {
	presencetest.Run(t, func(_ *testing.T, onChange func(string, bool)) signalbox.ConnectionTracker {
		return presence.NewMemory(&presence.MemoryOptions{OnChange: func(c presence.Change) { onChange(c.UserID, c.Online) }})
	})
}

// TestMemoryTellsInOrder: a change that comes while another is being told is told after it.
func TestMemoryTellsInOrder(t *testing.T) {
	var tracker *presence.Memory
	var told []presence.Change
	tracker = presence.NewMemory(&presence.MemoryOptions{OnChange: func(c presence.Change) {
		if c.Online && c.UserID == "ada" {
			if err := tracker.Add(t.Context(), "bob", "c2"); err != nil {
				t.Error(err)
			}
		}
		told = append(told, c)
	}})
	if err := tracker.Add(t.Context(), "ada", "c1"); err != nil {
		t.Fatal(err)
	}
	if want := []presence.Change{{UserID: "ada", Online: true}, {UserID: "bob", Online: true}}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
