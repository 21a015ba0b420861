package redisbackplane

// Golden data for the tests outside the package.
var (
	GoldenLines = goldenLines
	Unhex       = unhex
)
