package main

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"signalbox/bench/load"
	"signalbox/signalr/redisbackplane/redistest"
)

// TestRecordedUse holds what a conversation costs against numbers that were reckoned by hand.
func TestRecordedUse(t *testing.T) {
	const text = "# a remark\tof no\tinterest\n" +
		"@ start\ttwo servers\nS\tA\tRefServer.TestHub:all\nS\tA\tRefServer.TestHub:internal:ack:vm_0123456789abcdef0123456789abcdef\n" +
		"S\tB\tRefServer.TestHub:all\nS\tB\tg\n" +
		"@ send\ttwice\nA\tA\tfirst\nP\tA\tRefServer.TestHub:all\t41 42*2\tdecoded\nC\tb1\tjson\t41\n" +
		"A\tA\tsecond\nP\tA\tg\t41\nU\tB\tg\nC\tb1\tjson\t41\nP\tA\tg\t41\n" +
		"@ anew\tothers\nS\tA\tRefServer.TestHub:all\nP\tA\tRefServer.TestHub:all\t41\n"
	r, err := parseRecording(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		part conversationPart
		want load.RedisUse
	}{
		{conversationPart{"send", ""}, load.RedisUse{
			Messages: 1, Deliveries: 2, Commands: map[string]int{"publish": 3, "unsubscribe": 1}, Sender: 1, Other: 2,
			// *3 $7 PUBLISH $21 RefServer.TestHub:all $3 ABB, then twice $1 g $1 A, then *2 $11 UNSUBSCRIBE $1 g
			To: (4 + 13 + 28 + 9) + 2*(4+13+7+7) + (4 + 18 + 7),
			// messages to A and B, and to B; replies; the end of a subscription
			From: 2*(4+13+28+9) + (4 + 13 + 7 + 7) + 3*4 + (4 + 18 + 7 + 4),
		}},
		{conversationPart{"send", "second"}, load.RedisUse{
			Messages: 1, Deliveries: 1, Commands: map[string]int{"publish": 2, "unsubscribe": 1}, Other: 1,
			To: 2*(4+13+7+7) + (4 + 18 + 7), From: (4 + 13 + 7 + 7) + 2*4 + (4 + 18 + 7 + 4),
		}},
		{conversationPart{"anew", ""}, load.RedisUse{
			Messages: 1, Commands: map[string]int{"publish": 1, "subscribe": 1}, Sender: 1,
			To: (4 + 15 + 28) + (4 + 13 + 28 + 7), From: (4 + 15 + 28 + 4) + (4 + 13 + 28 + 7) + 4,
		}},
	} {
		got, err := r.use(row.part)
		if err != nil {
			t.Errorf("%v: %v", row.part, err)
			continue
		}
		if !maps.Equal(got.Commands, row.want.Commands) {
			t.Errorf("%v: commands %v, want %v", row.part, got.Commands, row.want.Commands)
		}
		got.Commands, row.want.Commands = nil, nil
		if a, b := redisValues(got), redisValues(row.want); !maps.Equal(a, b) {
			t.Errorf("%v: %v, want %v", row.part, a, b)
		}
	}
	if _, err := r.use(conversationPart{"never", ""}); err == nil {
		t.Error("what was not recorded has a cost")
	}
	if _, err := parseRecording("@ a\nP\tA\tc\txyz\n"); err == nil {
		t.Error("a payload that is not hexadecimal was read")
	}
}

// TestRenameServers: a longer machine's name makes channels and payloads longer.
func TestRenameServers(t *testing.T) {
	const digits = "_0123456789abcdef0123456789abcdef"
	text := "S\tA\tRefServer.TestHub:internal:ack:vm" + digits + "\nP\tB\tRefServer.TestHub:internal:return:vm" + digits +
		"\t93d923766d5f30313233343536373839616263646566303132333435363738396162636465660a\n"
	want := strings.NewReplacer("vm_", "node7_", "766d5f", "6e6f6465375f").Replace(text)
	if got := renameServers(text, "node7"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestEveryRecordingIsThere: what the report compares with was recorded.
func TestEveryRecordingIsThere(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	r, err := readRecording(root, "vm")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range redisCases() {
		if (c.recorded == conversationPart{}) {
			continue
		}
		if _, err := r.use(c.recorded); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestRedisMeter: it counts what another connection does, and leaves itself out.
func TestRedisMeter(t *testing.T) {
	server := redistest.Run(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	meter, err := newRedisMeter(ctx, server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer meter.close()
	other, err := newRedisMeter(ctx, server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	var use load.RedisUse
	const times, ping = 3, "*1\r\n$4\r\nPING\r\n"
	for range times {
		err := meter.count(&use, func() error {
			if _, err := other.conn.Write([]byte(ping)); err != nil {
				return err
			}
			_, err := other.r.ReadString('\n') // +PONG
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if use.Commands["ping"] != times || len(use.Commands) != 1 || use.To != times*int64(len(ping)) || use.From != times*7 {
		t.Errorf("got %+v", use)
	}
	if _, err := parseInfo("total_net_input_bytes:1\r\n"); err == nil {
		t.Error("an answer without the other counter was read")
	}
}
