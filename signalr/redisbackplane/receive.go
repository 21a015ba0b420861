package redisbackplane

import (
	"context"

	"github.com/redis/rueidis"

	"signalbox/signalr"
)

// receive takes what Redis brings, one message after the other, on the goroutine that reads: that is what keeps the order.
// Nothing in it waits. A message that cannot be read is passed over (F-177).
func (b *Backplane) receive(m rueidis.PubSubMessage) {
	b.counters.received.Add(1)
	b.counters.receivedBytes.Add(uint64(len(m.Message)))
	kind, own, ok := b.names.split(m.Channel)
	if !ok {
		return
	}
	payload := []byte(m.Message)
	var err error
	switch kind {
	case kindGroups:
		err = b.commanded(payload)
	case kindAck:
		err = b.acknowledged(payload)
	case kindReturn:
		err = b.returned(payload)
	case kindFarm:
		err = b.farmMessage(payload)
	case kindFarmReply:
		err = b.farmReply(payload)
	default:
		err = b.invoked(kind, own, payload)
	}
	if err != nil {
		b.counters.refused.Add(1)
		b.opts.Logger.Warn("a message of another server was not understood", "channel", m.Channel, "error", err)
	}
}

// invoked delivers a message for clients, as it is (F-166 to F-168).
func (b *Backplane) invoked(kind, own string, payload []byte) error {
	v, err := parseInvocation(payload)
	if err != nil {
		return err
	}
	var to signalr.Target
	switch kind {
	case kindAll:
		to = signalr.Target{Kind: signalr.TargetAll, Except: v.Excluded}
	case kindGroup:
		to = signalr.Target{Kind: signalr.TargetGroups, Names: []string{own}, Except: v.Excluded}
	case kindUser:
		to = signalr.Target{Kind: signalr.TargetUsers, Names: []string{own}}
	case kindConnection:
		to = signalr.Target{Kind: signalr.TargetConnections, Names: []string{own}}
		if v.InvocationID != "" {
			b.ask(own, &v)
		}
	}
	return b.local.Send(context.Background(), to, signalr.NewEncodedMessage(v.Blobs...)) // without an origin it does not wait
}
