package redisbackplane

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// hearers is how many servers hear a channel. In a cluster all nodes are asked; known is false when one of them does not
// answer, or there are others that the client has not found yet. It fails like publishing.
func (b *Backplane) hearers(ctx context.Context, l *link, channel string) (n int64, known bool, err error) {
	limit, patient := b.limit(ctx)
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if l.cluster == nil {
		n, err = numSub(within, l.client, channel, b.opts.Sharded)
		if err != nil {
			return 0, false, b.judge(l, err, patient)
		}
		return n, true, nil
	}
	nodes := l.cluster.Nodes()
	info, err := l.client.Do(within, l.client.B().ClusterInfo().Build()).ToString()
	if err != nil {
		return 0, false, b.judge(l, err, patient)
	}
	if knownNodes(info) != len(nodes) {
		return 0, false, nil
	}
	for _, node := range nodes {
		here, err := numSub(within, node, channel, false)
		if err != nil { // says nothing of the link, which is with another
			return 0, false, nil
		}
		n += here
	}
	return n, true, nil
}

// numSub is how many servers hear a channel at a node.
func numSub(ctx context.Context, c rueidis.Client, channel string, sharded bool) (int64, error) {
	cmd := c.B().PubsubNumsub().Channel(channel).Build()
	if sharded {
		cmd = c.B().Arbitrary("PUBSUB", "SHARDNUMSUB").Keys(channel).Build()
	}
	counts, err := c.Do(ctx, cmd).AsIntMap()
	return counts[channel], err
}

// knownNodes is how many nodes a cluster's node knows, from what it tells of the cluster.
func knownNodes(info string) int {
	_, rest, _ := strings.Cut(info, "cluster_known_nodes:")
	number, _, _ := strings.Cut(rest, "\r\n")
	n, _ := strconv.Atoi(number) // 0 is no number of nodes
	return n
}
