package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"signalbox/signalr"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/transport"
)

// settings is what the environment sets. What is not set has the library's default.
type settings struct {
	hub    signalr.HubOptions
	logger *slog.Logger
	farm   *farm // nil without REDIS
	// What makes the process a node of a farm: the keys, and where the other nodes reach it; empty when it is alone.
	keys     []signalr.TokenKey
	internal string
}

// readSettings reads the reference server's variables.
func readSettings(env func(string) string) (settings, error) {
	var s settings
	s.logger = slog.New(slog.DiscardHandler)
	if level := env("LOGLEVEL"); level != "" {
		var l slog.Level
		if err := l.UnmarshalText([]byte(level)); err != nil {
			return s, fmt.Errorf("LOGLEVEL: %w", err)
		}
		s.logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
	}
	o := &s.hub
	o.Logger = s.logger
	for name := range strings.SplitSeq(cmp.Or(env("PROTOCOLS"), "json,messagepack"), ",") {
		switch name {
		case "json":
			o.Protocols = append(o.Protocols, jsonprotocol.New(nil))
		case "messagepack":
			o.Protocols = append(o.Protocols, msgpackprotocol.New(nil))
		default:
			return s, fmt.Errorf("PROTOCOLS: unknown protocol %q", name)
		}
	}
	o.EnableDetailedErrors = env("DETAILED") == "1"
	o.Connection.AllowStatefulReconnects = env("STATEFUL") == "1"
	numbers := []struct {
		name string
		set  func(n int)
	}{
		{"KEEPALIVE_MS", func(n int) { o.KeepAliveInterval = time.Duration(n) * time.Millisecond }},
		{"CLIENT_TIMEOUT_MS", func(n int) { o.ClientTimeoutInterval = time.Duration(n) * time.Millisecond }},
		{"HANDSHAKE_MS", func(n int) { o.HandshakeTimeout = time.Duration(n) * time.Millisecond }},
		{"PARALLEL", func(n int) { o.MaximumParallelInvocationsPerClient = n }},
		{"STREAM_BUF", func(n int) { o.StreamBufferCapacity = n }},
		{"STATEFUL_BUF", func(n int) { o.StatefulReconnectBufferSize = n }},
		{"POLL_TIMEOUT_S", func(n int) { o.Connection.PollTimeout = time.Duration(n) * time.Second }},
		{"MAX_MSG", func(n int) {
			o.MaximumReceiveMessageSize = n
			if n == 0 {
				o.MaximumReceiveMessageSize = -1 // no limit
			}
		}},
	}
	for _, v := range numbers {
		text := env(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return s, fmt.Errorf("%s: %w", v.name, err)
		}
		v.set(n)
	}
	if list := env("TRANSPORTS"); list != "" {
		t, err := transport.ParseType(list)
		if err != nil {
			return s, fmt.Errorf("TRANSPORTS: %w", err)
		}
		o.Connection.Transports = t
	}
	if key := env("FARM_KEY"); key != "" {
		// The first key signs, all are accepted. A key's number is its place from the end, so that adding one in front leaves
		// the numbers of the others as they are.
		keys := strings.Split(key, ",")
		for i, k := range keys {
			secret := sha256.Sum256([]byte(k))
			s.keys = append(s.keys, signalr.TokenKey{ID: byte(len(keys) - i), Secret: secret[:]})
		}
	}
	if s.internal = env("INTERNAL"); s.internal != "" && s.keys == nil {
		return s, errors.New("INTERNAL: needs FARM_KEY")
	}
	if address := env("REDIS"); address != "" {
		f, err := newFarm(address, env("REDIS_PREFIX"), cmp.Or(env("HUB_NAME"), "RefServer.TestHub"), s.logger)
		if err != nil {
			return s, fmt.Errorf("REDIS: %w", err)
		}
		s.farm, o.LifetimeManager = f, f.backplane
	}
	return s, nil
}
