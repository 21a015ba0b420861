package wire

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// hexPrefix starts a payload that is written as bytes in hex.
const hexPrefix = "hex:"

var (
	toControls = strings.NewReplacer("␞", "\x1e", "␍", "\r", "␊", "\n", "␉", "\t", "␀", "\x00")
	toPictures = strings.NewReplacer("\x1e", "␞", "\r", "␍", "\n", "␊", "\t", "␉", "\x00", "␀")
	repetition = regexp.MustCompile(`\{rep (\S+) (\d+)\}`)
)

// expandRepetitions writes every {rep X N} out as N times X.
func expandRepetitions(text string) string {
	return repetition.ReplaceAllStringFunc(text, func(match string) string {
		groups := repetition.FindStringSubmatch(match)
		n, err := strconv.Atoi(groups[2])
		if err != nil { // more digits than an int holds; no payload is that long
			return match
		}
		return strings.Repeat(groups[1], n)
	})
}

// encodePayload turns the notation of a payload into the bytes that it stands for.
func encodePayload(text string, names bindings) ([]byte, error) {
	text = names.expand(expandRepetitions(text), nil)
	if digits, ok := strings.CutPrefix(text, hexPrefix); ok {
		data, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			return nil, fmt.Errorf("payload %q: %w", text, err)
		}
		return data, nil
	}
	return []byte(toControls.Replace(text)), nil
}

// decodePayload writes bytes in the notation of payloads: as text where that is possible, else in hex.
func decodePayload(data []byte) string {
	if !utf8.Valid(data) {
		return hexPayload(data)
	}
	text := toPictures.Replace(string(data))
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' }) >= 0 {
		return hexPayload(data)
	}
	return text
}

func hexPayload(data []byte) string {
	return fmt.Sprintf("%s % x", hexPrefix, data)
}
