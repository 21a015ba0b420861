module signalbox/bench/servers/host

go 1.26.0
