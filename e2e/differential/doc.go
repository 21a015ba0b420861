// Package differential holds a test that drives two servers with the same exchanges and compares every answer: the
// reference host of this repository and ASP.NET Core. What the client does is made from a seed; what the two answer is
// written down in the notation of transcripts (see the package wire) and must be equal, except for the differences
// that docs/differences.md names.
//
//	SIGNALR_REFERENCE='command …' go test ./e2e/differential -exchanges 10000
//	SIGNALR_REFERENCE='command …' go test ./e2e/differential -seed 7 -only 1234
package differential
