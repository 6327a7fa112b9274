// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/training/executor"
)

// The bounds of what a node may send at once.
const (
	MaxLog     = 1 << 20   // bytes of one piece of a log
	maxLogs    = 64 << 20  // bytes of a log in all; what comes behind is dropped
	MaxEnd     = maxRecord // bytes of how an attempt ended, with its manifest
	maxOutputs = 16 << 30  // bytes of outputs where the job names no bound
)

// Work is what a run is told when it enters.
type Work struct {
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
	Inputs  map[string]Laid   `json:"inputs,omitempty"` // by path
	Limits  executor.Limits   `json:"limits"`
	Beat    time.Duration     `json:"beat"` // how often it tells that it lives
}

// Entry is what a run says as it enters.
type Entry struct {
	Node string `json:"node"` // the name of its machine
}

// Farewell is what a run says that ends without a result of its own.
type Farewell struct {
	Reason string `json:"reason"`
}

// Laid is an input of a run: Input opens it by its digest.
type Laid = laid

// Caller is a run as it shows itself: of an attempt, by the token that its engine's job
// was given, under a number that it drew itself.
type Caller struct {
	Attempt, Token, Run string
}

// admit is the attempt of a caller. One that nobody knows, and a wrong token, are the same
// Unauthenticated fault; an attempt that is over, or has another run, is a Conflict: the
// program ends itself.
func (e *Executor) admit(ctx context.Context, c Caller) (*attempt, error) {
	nobody := func() error {
		return fault.New(fault.Unauthenticated, "there is no such attempt, or this is not its token")
	}
	if !e.mine(c.Attempt) || len(c.Token) < 26 || len(c.Run) < 16 || len(c.Run) > 64 {
		return nil, nobody()
	}
	_, a, err := e.known(ctx, executor.Handle(c.Attempt))
	if fault.Is(err, fault.NotFound) {
		return nil, nobody()
	}
	if err != nil {
		return nil, err
	}
	sum := digest(c.Token)
	a.mu.Lock()
	ok := a.tokens[sum]
	a.mu.Unlock()
	if !ok {
		if ok, err = e.keep.exists(ctx, c.Attempt, tokenFile(sum)); err != nil {
			return nil, err
		}
		if !ok {
			return nil, nobody()
		}
		a.mu.Lock()
		a.tokens[sum] = true
		a.mu.Unlock()
	}
	return a, nil
}

// running is the attempt of a caller that has entered it.
func (e *Executor) running(ctx context.Context, c Caller) (*attempt, error) {
	a, err := e.admit(ctx, c)
	if err != nil {
		return nil, err
	}
	who, err := e.runOf(ctx, c.Attempt, a)
	if err != nil {
		return nil, err
	}
	if who == nil || who.ID != c.Run {
		return nil, fault.New(fault.Conflict, "another run has this attempt").Do("end")
	}
	return a, nil
}

// going is running, for what makes sense only before the end.
func (e *Executor) going(ctx context.Context, c Caller) (*attempt, error) {
	a, err := e.running(ctx, c)
	if err != nil {
		return nil, err
	}
	over, err := e.endOf(ctx, c.Attempt, a)
	if err == nil && over != nil {
		err = fault.New(fault.Conflict, "the attempt is over: %s", over.State).Do("end")
	}
	return a, err
}

// word makes what was last said of an attempt old: its node has told something.
func (a *attempt) word() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = time.Time{}
}

// Enter gives the attempt to the caller's run, and says what to do. The first run that
// enters has it for good; to enter again is to enter once.
func (e *Executor) Enter(ctx context.Context, c Caller, node string) (Work, error) {
	a, err := e.admit(ctx, c)
	if err != nil {
		return Work{}, err
	}
	if over, err := e.endOf(ctx, c.Attempt, a); over != nil || err != nil {
		if err == nil {
			err = fault.New(fault.Conflict, "the attempt is over: %s", over.State).Do("end")
		}
		return Work{}, err
	}
	if _, err := e.keep.once(ctx, c.Attempt, runFile, run{ID: c.Run, Node: node, At: time.Now()}); err != nil {
		return Work{}, err
	}
	if a, err = e.running(ctx, c); err != nil {
		return Work{}, err
	}
	a.word()
	o := a.order
	return Work{Command: o.Command, Env: o.Env, Inputs: o.Inputs, Limits: o.Limits, Beat: e.opts.Beat}, nil
}

// Input opens an input by its digest.
func (e *Executor) Input(ctx context.Context, c Caller, sum string) (io.ReadCloser, error) {
	a, err := e.going(ctx, c)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(a.order.Inputs)), func(l laid) bool { return l.SHA256 == sum }) {
		return nil, fault.New(fault.NotFound, "the attempt has no such input")
	}
	r, err := e.keep.bucket.NewReader(ctx, path(c.Attempt, inputFile(sum)), nil)
	if err != nil {
		return nil, trouble(err, "an input")
	}
	return r, nil
}

// Alive takes a sign of life. A Conflict says that the program is to be ended.
func (e *Executor) Alive(ctx context.Context, c Caller, u executor.Usage) error {
	a, err := e.going(ctx, c)
	if err != nil {
		return err
	}
	a.word()
	return e.keep.write(ctx, c.Attempt, beatFile, beat{At: time.Now(), Usage: u})
}

// Print takes a piece of the log, which begins at byte offset of it, where the former
// ended. A piece that came already is left as it is: send the same again until it is
// answered.
func (e *Executor) Print(ctx context.Context, c Caller, offset int64, piece []byte) error {
	a, err := e.running(ctx, c) // after a cancel too: why it ended is worth reading
	if err != nil {
		return err
	}
	if offset < 0 || len(piece) > MaxLog {
		return fault.New(fault.TooLarge, "a piece of a log has at most %d bytes", MaxLog)
	}
	if len(piece) == 0 || offset >= maxLogs {
		return nil
	}
	a.printing.Lock()
	defer a.printing.Unlock()
	if !a.counted {
		if err := e.keep.list(ctx, path(c.Attempt, "log/"), func(o *blob.ListObject) error {
			a.printed += o.Size
			return nil
		}); err != nil {
			a.printed = 0
			return err
		}
		a.counted = true
	}
	switch {
	case offset < a.printed:
		return nil
	case offset > a.printed:
		return fault.New(fault.Invalid, "the log has %d bytes, and the piece begins at %d", a.printed, offset)
	}
	if _, err := e.keep.lay(ctx, path(c.Attempt, logFile(offset)), piece, true); err != nil {
		return err
	}
	a.printed += int64(len(piece))
	return nil
}

// Put takes an output by its digest; to put it again is to put it once.
func (e *Executor) Put(ctx context.Context, c Caller, sum string, body io.Reader) error {
	a, err := e.going(ctx, c)
	if err != nil {
		return err
	}
	if !isDigest(sum) {
		return fault.New(fault.Invalid, "%q is not a SHA-256 in hex", sum)
	}
	if have, err := e.keep.exists(ctx, c.Attempt, outputFile(sum)); have || err != nil {
		return err
	}
	a.mu.Lock()
	free := most(a.order) - a.put
	a.mu.Unlock()
	n := &countedReader{r: body}
	err = e.keep.pour(ctx, path(c.Attempt, outputFile(sum)), n, sum, free)
	if err == nil {
		a.mu.Lock()
		a.put += n.n
		a.mu.Unlock()
	}
	return err
}

// most is what an attempt may put, in bytes.
func most(o *order) int64 {
	if o.Limits.Output > 0 {
		return int64(o.Limits.Output)
	}
	return maxOutputs
}

type countedReader struct {
	r io.Reader
	n int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// End takes how the program ended. A success counts when every file of its manifest is
// here, and when nothing ended the attempt before; to tell the same again is to tell it
// once.
func (e *Executor) End(ctx context.Context, c Caller, s executor.Status) error {
	a, err := e.running(ctx, c)
	if err != nil {
		return err
	}
	switch s.State {
	case executor.Succeeded:
		if s.Manifest == nil || len(s.Manifest.Files) == 0 {
			return fault.New(fault.Invalid, "an attempt that succeeded has a manifest of files")
		}
		if err := e.whole(ctx, c.Attempt, a, s.Manifest); err != nil {
			return err
		}
		s.Manifest.Token = digest(c.Token + " " + c.Run)
	case executor.Failed:
		s.Manifest = nil
	default:
		return fault.New(fault.Invalid, "a run says that it succeeded or failed, not that it is %q", s.State)
	}
	if s.Reason = head(s.Reason); s.Reason == "" && s.State == executor.Failed {
		s.Reason = "it failed"
	}
	got, err := e.finish(ctx, c.Attempt, a, s)
	if err != nil {
		return err
	}
	a.word()
	if got.State != s.State || s.Manifest != nil && (got.Manifest == nil || got.Manifest.Token != s.Manifest.Token) {
		return fault.New(fault.Conflict, "the attempt was over before: %s", got.State).Do("end")
	}
	return nil
}

func head(reason string) string {
	return string(bytes.ToValidUTF8([]byte(reason[:min(len(reason), 2000)]), nil))
}

// whole holds a manifest to the files that came.
func (e *Executor) whole(ctx context.Context, id string, a *attempt, m *executor.Manifest) error {
	have, sum := map[string]int64{}, int64(0)
	below := path(id, outputFile(""))
	if err := e.keep.list(ctx, below, func(o *blob.ListObject) error {
		have[o.Key[len(below):]] = o.Size
		sum += o.Size
		return nil
	}); err != nil {
		return err
	}
	if sum > most(a.order) {
		return fault.New(fault.TooLarge, "the outputs of the attempt have %d bytes, and it may have %d", sum, most(a.order))
	}
	for name, f := range m.Files {
		if size, ok := have[f.SHA256]; !ok || size != f.Size || name == "" {
			return fault.New(fault.Invalid, "the manifest names %q, which was not sent", name)
		}
	}
	return nil
}

// Leave takes that the run has ended without a result of its own, or after its attempt was
// over: its node was told to stop. What becomes of the attempt is for the engine to say.
func (e *Executor) Leave(ctx context.Context, c Caller, reason string) error {
	a, err := e.running(ctx, c)
	if err != nil {
		return err
	}
	if reason = head(reason); reason == "" {
		reason = "the run ended"
	}
	if err := e.keep.write(ctx, c.Attempt, leftFile, left{Reason: reason}); err != nil {
		return err
	}
	a.word()
	return nil
}
