module signalbox/bench/servers/redisnode

go 1.26.0

require (
	github.com/redis/rueidis v1.0.79
	signalbox/bench/servers/host v0.0.0
	signalbox/signalr v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.6.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace (
	signalbox/bench/servers/host => ../host
	signalbox/signalr => ../../../signalr
)
