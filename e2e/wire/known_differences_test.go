package wire_test

// knownDifferences names the scenarios in which this server knowingly decides otherwise than the recorded one, each
// with the reason. Only scenarios that their head marks as a quirk may stand here. They are not played.
func knownDifferences() map[string]string {
	return map[string]string{}
}
