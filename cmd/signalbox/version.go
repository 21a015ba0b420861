package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints the version.
type versionCmd struct{}

// Run prints it.
func (versionCmd) Run() error {
	fmt.Println(version())
	return nil
}

// version says what this program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return describe(info)
}

// describe says what a program was built from: its version, the revision of the sources and whether they had been
// changed, as far as that is known, and by which Go for which system.
func describe(info *debug.BuildInfo) string {
	text := "signalbox"
	if v := info.Main.Version; v != "" && v != "(devel)" {
		text += " " + v
	} else {
		text += " devel"
	}
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		text += " revision " + revision
		if settings["vcs.modified"] == "true" {
			text += " with changes"
		}
	}
	return fmt.Sprintf("%s %s %s/%s", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
