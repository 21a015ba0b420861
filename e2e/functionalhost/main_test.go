package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, "127.0.0.1:0", "127.0.0.1:0", w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	var urls []string
	for _, scheme := range []string{"http", "https"} {
		if !lines.Scan() {
			t.Fatalf("no line for %s: %v", scheme, <-ended)
		}
		url, ok := strings.CutPrefix(lines.Text(), "Now listening on: ")
		if !ok || !strings.HasPrefix(url, scheme+"://127.0.0.1:") {
			t.Fatalf("the line for %s is %q", scheme, lines.Text())
		}
		urls = append(urls, url)
	}
	for _, url := range urls {
		res, err := client.Post(url+"/authorizedhub/negotiate", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.Proto != "HTTP/1.1" || res.Status != "401 Unauthorized" {
			t.Errorf("%s answers %s %s", url, res.Proto, res.Status)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestRunFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for _, tt := range []struct{ name, plain, secure string }{
		{"no address", "", ""},
		{"taken address", taken, ""},
		{"taken address for https", "127.0.0.1:0", taken},
		{"bad address for https", "", "nonsense"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := run(t.Context(), tt.plain, tt.secure, io.Discard); err == nil {
				t.Error("run did not fail")
			}
		})
	}
}

func TestCertificate(t *testing.T) {
	now := time.Now()
	cert, err := selfSigned("host.example:5001", now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]", "host.example"} {
		for _, at := range []time.Time{now, now.Add(23 * time.Hour)} {
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at}); err != nil {
				t.Errorf("%s at %v: %v", name, at, err)
			}
		}
	}
}
