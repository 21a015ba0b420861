package msgpackprotocol

import (
	"testing"

	"signalbox/signalr/protocol/protocoltest"
)

func TestSuite(t *testing.T) {
	protocoltest.Run(t, New(nil))
}
