package wire

import (
	"context"
	"net/http"
	"strconv"
)

// pollLoop polls until the server ends the connection. The bodies become text events; the end becomes an end event
// with the status of the last poll.
func (r *Replayer) pollLoop(ctx context.Context, c *conn, req *request) {
	for {
		answer, err := r.roundTrip(ctx, req)
		switch {
		case err != nil:
			c.emit(ctx, event{kind: eventEOF})
			return
		case answer.status != http.StatusOK:
			c.emit(ctx, event{kind: eventEnd, data: strconv.AppendInt(nil, int64(answer.status), 10)})
			return
		case len(answer.body) > 0 && !c.emit(ctx, event{kind: eventText, data: answer.body}):
			return
		}
	}
}
