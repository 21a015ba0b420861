//go:build !unix

package httpconn

// Where the system cannot tell that a socket is readable, each has a reader that holds a buffer.

func (d *wsDriver) prepare() {}

func (d *wsDriver) begin(early []byte) { go d.readAlways(early) }

func (d *wsDriver) watchAgain() {
	d.c.mgr.workers.enter()
	go d.readAlways(nil)
}

func (d *wsDriver) writeIdle(f Frame) { d.c.mgr.workers.Do(&wsRest{d: d, f: f}) }

func (d *wsDriver) writeAtOnce(p []byte) { d.writeBriefly(p) }
