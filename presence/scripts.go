package presence

import (
	_ "embed"

	"github.com/redis/rueidis"
)

// What is done in Redis, each in one step. Redis tells the time, so that the nodes' clocks need not agree.
var (
	//go:embed lua/now.lua
	nowSource string
	//go:embed lua/beat.lua
	beatSource string
	//go:embed lua/apply.lua
	applySource string
	//go:embed lua/reap.lua
	reapSource string
	//go:embed lua/user.lua
	userSource string
	//go:embed lua/list.lua
	listSource string
	//go:embed lua/counts.lua
	countsSource string
)

// scripts are the sources made ready to be run.
type scripts struct{ beat, apply, reap, user, list, counts *rueidis.Lua }

func newScripts() scripts {
	load := func(source string) *rueidis.Lua { return rueidis.NewLuaScript(nowSource + source) }
	return scripts{
		beat: load(beatSource), apply: load(applySource), reap: load(reapSource),
		user: load(userSource), list: load(listSource), counts: load(countsSource),
	}
}

// keys are the names in Redis:
//
//	nodes              sorted set: node, by the end of its lease in ms
//	online             sorted set: user, for whoever was announced to be online
//	user:USER          hash: connection -> node
//	connections:NODE   hash: connection -> user
//
// All of them have one hash tag: a script touches several, which must be in one place on a Redis Cluster.
type keys struct{ nodes, online, user, connections string }

func newKeys(prefix string) keys {
	prefix = "{" + prefix + "}:"
	return keys{nodes: prefix + "nodes", online: prefix + "online", user: prefix + "user:", connections: prefix + "connections:"}
}
