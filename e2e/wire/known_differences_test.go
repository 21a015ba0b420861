package wire_test

// knownDifferences names the scenarios in which this server knowingly decides otherwise than the recorded one, each
// with the reason, as docs/differences.md has it. Only scenarios that their head marks as a quirk may stand here. They
// are not played.
func knownDifferences() map[string]string {
	const parser = "the text is that of .NET's JSON parser or writer"
	const streamID = "a stream id that is in use is refused, so that no call hangs"
	const otherUser = "a request of another user than the connection's is refused with 403"
	return map[string]string{
		"auth-other-user-on-longpoll":          otherUser,
		"auth-other-user-on-websocket":         otherUser,
		"handshake-detailed-parser":            parser,
		"invalid-json-arguments":               "malformed JSON closes the connection wherever it stands",
		"result-not-serializable-detailed":     parser,
		"stateful-bad-item-count":              "an upload item that does not bind counts, as the client counts it",
		"stateful-takeover-answered":           "the new socket wins, also when the old one answers the close frame",
		"token-from-another-endpoint":          "a token opens connections of the endpoint that negotiated it",
		"upload-duplicate-stream-id":           streamID,
		"upload-duplicate-stream-id-two-calls": streamID,
	}
}

// knownMessagePackDifferences is knownDifferences for the MessagePack recordings, whose format marks no quirks.
func knownMessagePackDifferences() map[string]string {
	return map[string]string{
		"duplicate-streamids":            "a stream id that is used twice is refused, so that no call hangs",
		"echo-map-bytes-time":            "Go maps have no order: keys are written sorted",
		"sinv-bad-args":                  "the mode of a call is checked before its arguments are bound",
		"sinv-lower-target-not-interned": "errors quote the registered name of a method in all cases",
	}
}
