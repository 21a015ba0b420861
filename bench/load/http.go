package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var (
	crlf   = []byte("\r\n")
	blank  = []byte("\r\n\r\n")
	prefix = []byte("HTTP/1.1 ")
)

// head is what the generator needs of the head of an HTTP response.
type head struct {
	status int
	length int // of the body, -1 when it comes in chunks
}

// parseHead reads the head of a response. n is its length with the blank line, or 0 when b does not hold all of it yet.
func parseHead(b []byte) (h head, n int, err error) {
	end := bytes.Index(b, blank)
	if end < 0 {
		if len(b) > 64<<10 {
			return h, 0, errors.New("the head of a response has no end")
		}
		return h, 0, nil
	}
	lines := b[:end]
	if !bytes.HasPrefix(lines, prefix) || len(lines) < len(prefix)+3 {
		return h, 0, fmt.Errorf("odd response %.40q", b)
	}
	if h.status, err = strconv.Atoi(string(lines[len(prefix) : len(prefix)+3])); err != nil {
		return h, 0, fmt.Errorf("odd response %.40q", b)
	}
	for _, line := range bytes.Split(lines, crlf)[1:] {
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, err = strconv.Atoi(string(value)); err != nil || h.length < 0 {
				return h, 0, fmt.Errorf("odd content length %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.length = -1
		}
	}
	return h, end + len(blank), nil
}

// nextChunk reads one chunk of a chunked body. n is its length with its frame, or 0 when b does not hold all of it yet;
// the last chunk has no data.
func nextChunk(b []byte) (data []byte, n int, err error) {
	end := bytes.Index(b, crlf)
	if end < 0 {
		return nil, 0, nil
	}
	size, err := strconv.ParseUint(string(b[:end]), 16, 32)
	if err != nil || size > maxFrame {
		return nil, 0, fmt.Errorf("odd chunk size %.20q", b[:end])
	}
	start := end + len(crlf)
	if n = start + int(size) + len(crlf); len(b) < n {
		return nil, 0, nil
	}
	return b[start : start+int(size)], n, nil
}

// nextResponse reads a whole response with its body. n is its length, or 0 when b does not hold all of it yet.
func nextResponse(b []byte) (status int, body []byte, n int, err error) {
	h, at, err := parseHead(b)
	if err != nil || at == 0 {
		return 0, nil, 0, err
	}
	if h.length >= 0 {
		if len(b) < at+h.length {
			return 0, nil, 0, nil
		}
		return h.status, b[at : at+h.length], at + h.length, nil
	}
	for {
		data, n, err := nextChunk(b[at:])
		if err != nil || n == 0 {
			return 0, nil, 0, err
		}
		at += n
		switch {
		case len(data) == 0:
			return h.status, body, at, nil
		case body == nil:
			body = data
		default:
			body = append(body[:len(body):len(body)], data...)
		}
	}
}

// parsePosts takes the answers to what was posted off b. They say nothing but that it arrived.
func (c *client) parsePosts(b []byte) (int, error) {
	taken := 0
	for taken < len(b) {
		status, body, n, err := nextResponse(b[taken:])
		if err != nil || n == 0 {
			return taken, err
		}
		if status != 200 {
			return taken, fmt.Errorf("a post was answered with status %d %.100q", status, body)
		}
		taken += n
	}
	return taken, nil
}

// parsePolls takes answered polls off b, and polls again.
func (c *client) parsePolls(b []byte) (int, error) {
	taken := 0
	for taken < len(b) {
		status, body, n, err := nextResponse(b[taken:])
		if err != nil || n == 0 {
			return taken, err
		}
		if status != 200 {
			return taken, fmt.Errorf("a poll was answered with status %d %.100q", status, body)
		}
		taken += n
		c.main.write(c.pollRequest)
		if len(body) > 0 {
			if err := c.message(body); err != nil {
				return taken, err
			}
		}
	}
	return taken, nil
}

// parseEvents takes the chunks of an event stream off b. An event may come in several of them.
func (c *client) parseEvents(b []byte) (int, error) {
	taken := 0
	for taken < len(b) {
		data, n, err := nextChunk(b[taken:])
		if err != nil || n == 0 {
			return taken, err
		}
		taken += n
		if len(data) == 0 {
			return taken, errors.New("the server ended the event stream")
		}
		if len(c.events) > 0 {
			c.events = append(c.events, data...)
			data = c.events
		}
		rest, err := eachEvent(data, c.message)
		if err != nil {
			return taken, err
		}
		c.events = append(c.events[:0], rest...)
	}
	return taken, nil
}

// eachEvent calls f with the data of each whole server-sent event and returns what follows the last one. Messages of the
// text protocols hold no line breaks, so each line of data is a message; other lines are comments that keep proxies awake.
func eachEvent(b []byte, f func([]byte) error) (rest []byte, err error) {
	for {
		end := bytes.Index(b, blank)
		if end < 0 {
			return b, nil
		}
		for line := range bytes.SplitSeq(b[:end], crlf) {
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				if err := f(data); err != nil {
					return nil, err
				}
			}
		}
		b = b[end+len(blank):]
	}
}
