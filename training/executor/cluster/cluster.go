// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/unit"
)

// Verb is the hidden command that an engine starts on a node.
const Verb = "attempt"

// Options are what an Executor is made of. All but Logger and the times are needed.
type Options struct {
	Name   string // of the engine; every attempt and handle begins with it
	Engine Engine
	Bucket *blob.Bucket // what is kept of attempts; engines may share it
	URL    string       // our address, as nodes reach it
	Binary string       // path of this program on a node

	Beat   time.Duration // how often a node tells that it lives; 0: 5 s
	Every  time.Duration // how often the engine is asked; 0: 2 s
	Logger *slog.Logger  // nil: none
}

// Executor is a training/executor.Executor over the nodes of an engine. What it must not
// forget is in the bucket; one process at a time may answer for an engine (it leads).
type Executor struct {
	opts Options
	keep keep

	mu       sync.Mutex
	attempts map[string]*attempt // that somebody asked about since the start
	looks    looks
}

// attempt is what this process remembers of one; the bucket has all that counts.
type attempt struct {
	starting sync.Mutex // held while the engine is asked for it

	printing sync.Mutex // held while a piece of the log is kept
	printed  int64      // bytes of the log that came
	counted  bool       // printed is known

	mu     sync.Mutex
	order  *order
	run    *run            // nil: none that we know of
	tokens map[string]bool // digests that were seen to be its own
	ref    *Ref            // nil: not known to be started
	over   *executor.Status
	put    int64           // bytes of outputs that came
	status executor.Status // as of at, good for Options.Every; a node's word makes it old
	at     time.Time
	sign   string    // the last sign of life, and since when we look at it
	since  time.Time //
	last   time.Time // when we last looked
	look   int       // the number of the engine's last answer without it
	missed int       // such answers, one after the other
}

// New makes an Executor. It starts nothing.
func New(o Options) *Executor {
	if o.Beat <= 0 {
		o.Beat = 5 * time.Second
	}
	if o.Every <= 0 {
		o.Every = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Executor{opts: o, keep: keep{o.Bucket}, attempts: map[string]*attempt{}}
}

// attempt is what is remembered of an id, which need not exist.
func (e *Executor) attempt(id string) *attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[id]
	if a == nil {
		a = &attempt{tokens: map[string]bool{}}
		e.attempts[id] = a
	}
	return a
}

// known is what is remembered of a handle; a NotFound fault where there is no such attempt.
func (e *Executor) known(ctx context.Context, h executor.Handle) (string, *attempt, error) {
	id := string(h)
	if !e.mine(id) {
		return "", nil, fault.New(fault.NotFound, "there is no job %q", h)
	}
	a := e.attempt(id)
	if _, err := e.orderOf(ctx, id, a); err != nil {
		if fault.Is(err, fault.NotFound) {
			e.drop(id)
		}
		return "", nil, err
	}
	return id, a, nil
}

func (e *Executor) drop(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.attempts, id)
}

// mine reports whether id has the form of our attempts: nothing else becomes the name of
// an object.
func (e *Executor) mine(id string) bool {
	rest, ok := strings.CutPrefix(id, e.opts.Name+"-")
	return ok && len(rest) == 26 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func (e *Executor) orderOf(ctx context.Context, id string, a *attempt) (*order, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.order != nil {
		return a.order, nil
	}
	var o order
	ok, err := e.keep.read(ctx, id, jobFile, &o)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no job %s", id)
	}
	a.order = &o
	return a.order, nil
}

// Submit keeps the job and asks the engine for it, unless its key is known.
func (e *Executor) Submit(ctx context.Context, j executor.Job) (executor.Handle, error) {
	o, err := e.take(j)
	if err != nil {
		return "", err
	}
	id, err := e.keep.idOf(ctx, e.opts.Name, j.Key)
	if err != nil {
		return "", err
	}
	fresh := id == ""
	if fresh {
		if id, err = e.place(ctx, o, j.Inputs); err != nil {
			return "", err
		}
	}
	a := e.attempt(id)
	err = e.start(ctx, id, a)
	if fault.Is(err, fault.Invalid) { // it can never run: as if it had not been asked for
		return "", wrapped(err, e.remove(ctx, id, j.Key))
	}
	return executor.Handle(id), err
}

// wrapped is an error that counts, where another came behind it.
func wrapped(err, after error) error {
	if after != nil {
		return fault.Wrap(after, fault.KindOf(err), "%v", err)
	}
	return err
}

// place keeps the inputs and the order under a new id, and then the key as its name. Of
// several at once the first is it, and the others leave nothing.
func (e *Executor) place(ctx context.Context, o order, inputs map[string]executor.Input) (string, error) {
	id := e.opts.Name + "-" + strings.ToLower(rand.Text())
	if err := e.keep.inputs(ctx, id, &o, inputs); err != nil {
		return "", wrapped(err, e.keep.remove(context.WithoutCancel(ctx), id))
	}
	o.sum()
	_, err := e.keep.once(ctx, id, jobFile, o)
	if err == nil {
		err = e.keep.name(ctx, e.opts.Name, o.Key, id)
	}
	if err != nil {
		return "", err // whether it is named is not known: it stays
	}
	// Which it is says the bucket: a write whose answer was lost, and that was sent again, is
	// told that it came too late.
	first, err := e.keep.idOf(ctx, e.opts.Name, o.Key)
	if err != nil || first == id {
		return first, err
	}
	if err := e.keep.remove(ctx, id); err != nil {
		return "", err
	}
	if first == "" {
		err = fault.New(fault.Unavailable, "the job was forgotten meanwhile").Do("submit it again")
	}
	return first, err
}

// start asks the engine for the attempt, unless it was. A crash in between leaves an
// engine's job that nobody noted: it is found again by its name, and has the token that
// it was started with.
func (e *Executor) start(ctx context.Context, id string, a *attempt) error {
	a.starting.Lock()
	defer a.starting.Unlock()
	if r, err := e.refOf(ctx, id, a); r != nil || err != nil {
		return err
	}
	if over, err := e.endOf(ctx, id, a); over != nil || err != nil {
		return err
	}
	o, err := e.orderOf(ctx, id, a)
	if err != nil {
		return err
	}
	token := rand.Text() + rand.Text()
	if err := e.keep.write(ctx, id, tokenFile(digest(token)), struct{}{}); err != nil {
		return err
	}
	ref, err := e.opts.Engine.Start(ctx, e.spec(id, token, o))
	if err != nil {
		return err
	}
	e.opts.Logger.Info("a job was handed over", "engine", e.opts.Name, "job", id, "as", ref.ID)
	if err := e.keep.write(ctx, id, refFile, ref); err != nil {
		return err
	}
	a.mu.Lock()
	a.ref = &ref
	a.mu.Unlock()
	return nil
}

// The room that is asked of an engine beyond the limits of a job, which the supervisor
// keeps: for itself, and to bring the inputs and the outputs.
const (
	moreMemory = 128 << 20
	moreTime   = 10 * time.Minute
)

// spec is what the engine is asked for.
func (e *Executor) spec(id, token string, o *order) Spec {
	s := Spec{
		Name: id, Digest: o.Digest, Command: []string{e.opts.Binary, Verb},
		Env:       map[string]string{URLVariable: e.opts.URL, IDVariable: id, TokenVariable: token},
		Resources: Resources{CPUs: max(1, o.Limits.CPUs), GPUs: o.Limits.GPUs, Image: o.Limits.Image, Queue: o.Limits.Queue},
	}
	if o.Limits.Memory > 0 {
		s.Resources.Memory = o.Limits.Memory + moreMemory
	}
	if t := o.Limits.Time.D(); t > 0 {
		s.Time = unit.Duration(t + moreTime + t/10)
	}
	return s
}

// The variables by which the program on the node knows its attempt.
const (
	URLVariable   = "FLYBALL_ATTEMPT_URL"
	IDVariable    = "FLYBALL_ATTEMPT_ID"
	TokenVariable = "FLYBALL_ATTEMPT_TOKEN"
)
