// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept of a process's output.
const (
	logFile = 1 << 20       // bytes of one of the two files
	logRate = 256 << 10     // bytes a second that are kept
	logTail = 4 << 10       // bytes that an error may show
	logRoom = 2 * 256 << 10 // bytes that are kept at once
)

// output keeps what the processes of a version print: the last one or two megabytes in
// two files, out.log and out.log.1. What comes faster than logRate is dropped and
// counted. It takes all that is written and never blocks or fails the writer.
type output struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	size    int64
	tail    []byte
	room    float64
	at      time.Time
	dropped int64
	now     func() time.Time
}

func newOutput(dir string, now func() time.Time) (*output, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	o := &output{path: filepath.Join(dir, "out.log"), now: now, room: logRoom, at: now()}
	return o, o.open()
}

func (o *output) open() (err error) {
	if o.file, err = os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640); err != nil {
		return err
	}
	info, err := o.file.Stat()
	if err == nil {
		o.size = info.Size()
	}
	return err
}

// Write keeps b, or as much of it as there is room for.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, b[max(0, len(b)-logTail):]...)
	o.tail = o.tail[max(0, len(o.tail)-logTail):]
	now := o.now()
	o.room = min(logRoom, o.room+now.Sub(o.at).Seconds()*logRate)
	o.at = now
	keep := b[:min(len(b), int(o.room))]
	if len(keep) > 0 && o.dropped > 0 {
		note := fmt.Sprintf("\n[%d bytes were dropped here: too much at once]\n", o.dropped)
		o.dropped = 0
		o.put([]byte(note))
	}
	o.room -= float64(len(keep))
	o.dropped += int64(len(b) - len(keep))
	o.put(keep)
	return len(b), nil
}

func (o *output) put(b []byte) {
	if o.file == nil || len(b) == 0 {
		return
	}
	n, err := o.file.Write(b)
	if o.size += int64(n); err != nil || o.size < logFile {
		return // a full disk loses output, not the model
	}
	_ = o.file.Close()
	o.file = nil
	if os.Rename(o.path, o.path+".1") == nil {
		o.size = 0
	}
	if o.open() != nil {
		o.file = nil
	}
}

// mark forgets what a process before has said: Last shows only what comes from now on.
func (o *output) mark() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = nil
}

// last are the last lines that were printed, for an error.
func (o *output) last(lines int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(o.tail), "")), "\n")
	return strings.Join(all[max(0, len(all)-lines):], " | ")
}

// Close closes the file.
func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}

var _ io.WriteCloser = (*output)(nil)
