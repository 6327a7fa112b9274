// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one running worker. One goroutine at a time asks it.
type process struct {
	conn net.Conn
	pid  int
	dead chan struct{} // closed when it has ended
	why  error         // how it ended; read after dead
	last uint64        // number of the last frame
}

// launch is what a process is started with.
type launch struct {
	python string
	script string
	dir    string   // where it works
	env    []string // all of its environment
	out    *output
}

// start starts a process. The model is not loaded yet.
func (l launch) start() (*process, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	cmd := exec.Command(l.python, "-I", "-B", "-u", l.script) // no context: it outlives who asks first
	cmd.Dir, cmd.Env = l.dir, l.env
	cmd.Stdout, cmd.Stderr = l.out, l.out
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = time.Second // what it started may hold its output open
	p := &process{conn: ours, dead: make(chan struct{})}
	began := make(chan error, 1)
	go func() {
		// The kernel tells the end of the thread for the end of the server. So the
		// thread stays with the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		began <- err
		if err != nil {
			return
		}
		p.why = cmd.Wait()
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // and what it left behind
		_ = ours.Close()
		close(p.dead)
	}()
	if err := <-began; err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return p, nil
}

// pair are the two ends of a socket without a name.
func pair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "worker")
	theirs := os.NewFile(uintptr(fds[1]), "server")
	ours, err := net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// kill ends the process and all that it started, and waits for it.
func (p *process) kill() {
	select {
	case <-p.dead:
		return
	default:
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	_ = p.conn.Close()
	<-p.dead
}

// shut asks the process to end, and kills it if it has not after a while.
func (p *process) shut(grace time.Duration) {
	_ = p.conn.SetDeadline(time.Now().Add(grace))
	if (&message{op: opShutdown}).write(p.conn) == nil {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-p.dead:
			return
		case <-t.C:
		}
	}
	p.kill()
}

// greet reads HELLO.
func (p *process) greet(limit time.Duration) error {
	_ = p.conn.SetDeadline(time.Now().Add(limit))
	f, err := readMessage(p.conn)
	if err != nil {
		return err
	}
	var hello struct{ Protocol int }
	if err := json.Unmarshal(f.meta, &hello); f.op != opHello || err != nil || hello.Protocol != version {
		return fmt.Errorf("%w: it does not begin with a greeting", errGarbage)
	}
	return nil
}

// modelError is an ERROR of the worker: the model, not the process, failed.
type modelError struct {
	Kind      string `json:"kind"` // model, memory
	Text      string `json:"error"`
	Traceback string `json:"traceback"`
}

func (e *modelError) Error() string { return e.Text }

// exchange sends a request and reads its answer, for at most limit. A modelError leaves
// the process as it was; after any other error it must be killed.
func (p *process) exchange(o op, meta any, tensors int, body []byte, limit time.Duration) (message, error) {
	raw, err := json.Marshal(meta)
	if err != nil {
		return message{}, fmt.Errorf("write a request: %w", err)
	}
	p.last++
	if err := p.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return message{}, err
	}
	ask := message{op: o, id: p.last, meta: raw, tensors: uint32(tensors), body: body}
	if err := ask.write(p.conn); err != nil {
		return message{}, err
	}
	f, err := readMessage(p.conn)
	switch {
	case err != nil:
		return message{}, err
	case f.id != p.last:
		return message{}, fmt.Errorf("%w: it answers request %d, not %d", errGarbage, f.id, p.last)
	case f.op == opError:
		e := &modelError{}
		if json.Unmarshal(f.meta, e) != nil || e.Text == "" {
			return message{}, fmt.Errorf("%w: an error that says nothing", errGarbage)
		}
		return message{}, e
	case f.op != opResult:
		return message{}, fmt.Errorf("%w: a frame of type %d instead of an answer", errGarbage, f.op)
	}
	return f, nil
}
