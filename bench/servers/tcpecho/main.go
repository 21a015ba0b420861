// Command tcpecho is the floor that real-time servers in Go are measured against: it sends back every byte, with one
// goroutine and one buffer for each connection.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
)

func main() {
	urls := flag.String("urls", "tcp://127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flag.Parse()
	address, err := url.Parse(*urls)
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", address.Host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("LISTENING tcp://%s\n", ln.Addr())
	for {
		conn, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}
