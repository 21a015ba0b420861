package wire_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"signalbox/e2e/wire"
)

// loadTranscripts returns the transcripts of testdata that are to be played, those that wait longest first, so that
// the rest runs meanwhile.
func loadTranscripts(t *testing.T) []*wire.Transcript {
	t.Helper()
	transcripts, err := wire.LoadTranscripts(os.DirFS("testdata/json"), "*.txt")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(transcripts, func(a, b *wire.Transcript) int { return cmp.Compare(b.Duration(), a.Duration()) })
	return transcripts
}

// scenarioOf returns how a transcript is played and judged.
func scenarioOf(t *wire.Transcript, play func(context.Context, *wire.Replayer) error) scenario {
	options := t.Options
	if t.Name == "handshake-messagepack-not-registered" { // the recorded server offered JSON only; ours must be told
		options = "PROTOCOLS=json"
	}
	return scenario{name: t.Name, options: options, alone: t.Alone, skip: knownDifferences()[t.Name], play: play}
}

// TestTranscripts plays every transcript of the JSON hub protocol.
func TestTranscripts(t *testing.T) {
	var scenarios []scenario
	for _, transcript := range loadTranscripts(t) {
		scenarios = append(scenarios, scenarioOf(transcript, func(ctx context.Context, r *wire.Replayer) error {
			return r.Play(ctx, transcript)
		}))
	}
	playScenarios(t, scenarios)
}

// TestCorruptedTranscripts corrupts one thing that each transcript expects. The replay must notice every time. It
// takes a sample of the quick scenarios without options, or with -mutate all there are.
func TestCorruptedTranscripts(t *testing.T) {
	var scenarios []scenario
	for _, transcript := range loadTranscripts(t) {
		rng := rand.New(rand.NewPCG(*corruptSeed, hash(transcript.Name)))
		if quick := transcript.Options == "" && transcript.Duration().Seconds() < 1; !*corruptAll && (!quick || rng.IntN(10) > 0) {
			continue
		}
		corrupted, was, is := corrupt(transcript, rng)
		scenarios = append(scenarios, scenarioOf(corrupted, func(ctx context.Context, r *wire.Replayer) error {
			err := r.Play(ctx, corrupted)
			if mismatch := (*wire.MismatchError)(nil); !errors.As(err, &mismatch) {
				return fmt.Errorf("%s\nchanged to %s\nthe replay says: %w", was, is, err)
			}
			return nil
		}))
	}
	playScenarios(t, scenarios)
}

// TestKnownDifferences checks that only quirks are excused.
func TestKnownDifferences(t *testing.T) {
	quirks := map[string]string{}
	for _, transcript := range loadTranscripts(t) {
		quirks[transcript.Name] = transcript.Quirk
	}
	for name, reason := range knownDifferences() {
		switch quirk, exists := quirks[name]; {
		case !exists:
			t.Errorf("%s: no such scenario", name)
		case quirk == "":
			t.Errorf("%s: the scenario is not marked as a quirk", name)
		case reason == "":
			t.Errorf("%s: no reason", name)
		}
	}
}

func hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}
