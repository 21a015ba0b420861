//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package main

import (
	"context"
	"errors"
)

var errNoPIDFile = errors.New("--pid-file: this system cannot lock the file")

type pidFile struct{}

func takePIDFile(string) (*pidFile, error) { return nil, errNoPIDFile }

func (*pidFile) Close() error { return nil }

func terminate(string) error { return errNoPIDFile }

func awaitEnd(context.Context, string) error { return errNoPIDFile }
