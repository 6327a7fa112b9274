// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"flyball/fault"
	"flyball/training/executor"
)

// The objects of an attempt, below attempts/ID/; docs/formats/attempt.md describes them.
// Those that are written once decide: the first writer is it.
const (
	jobFile  = "job.json"    // what to do; once
	refFile  = "engine.json" // how its engine calls it
	runFile  = "run.json"    // which run has it; once
	beatFile = "beat.json"   // its last sign of life
	leftFile = "left.json"   // the run ended without a result of its own
	endFile  = "end.json"    // how it ended, with the manifest where it succeeded; once
)

func tokenFile(digest string) string  { return "tokens/" + digest }
func inputFile(digest string) string  { return "in/" + digest }
func outputFile(digest string) string { return "out/" + digest }
func logFile(offset int64) string     { return fmt.Sprintf("log/%016d", offset) }

// maxRecord bounds what is read of an object that is a record: a manifest of very many
// files is the largest.
const maxRecord = 64 << 20

// order is job.json: a job as its node gets it.
type order struct {
	Key     string            `json:"key"`
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
	Inputs  map[string]laid   `json:"inputs,omitempty"` // by path
	Limits  executor.Limits   `json:"limits"`
	Digest  string            `json:"digest"` // of all of this
}

// laid is one input.
type laid struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Mode   uint32 `json:"mode,omitempty"`
}

// run is run.json: the one run of an attempt, on its node.
type run struct {
	ID   string    `json:"id"`
	Node string    `json:"node"`
	At   time.Time `json:"at"`
}

// beat is beat.json.
type beat struct {
	At    time.Time      `json:"at"`
	Usage executor.Usage `json:"usage"`
}

// left is left.json.
type left struct {
	Reason string `json:"reason"`
}

// sum sets the digest of the order.
func (o *order) sum() {
	o.Digest = ""
	raw, _ := json.Marshal(o) // it holds texts and numbers alone
	o.Digest = digest(string(raw))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// isDigest reports whether text is a SHA-256 in hex: nothing else becomes part of a name.
func isDigest(text string) bool {
	return len(text) == 2*sha256.Size && strings.Trim(text, "0123456789abcdef") == ""
}

// take is a job as its node will get it, but for its inputs.
func (e *Executor) take(j executor.Job) (order, error) {
	if len(j.Command) == 0 {
		return order{}, fault.New(fault.Invalid, "the job has no command")
	}
	for name := range j.Inputs {
		if !filepath.IsLocal(name) || strings.Contains(name, `\`) {
			return order{}, fault.New(fault.Invalid, "%q is not the path of a file in a folder", name)
		}
	}
	o := order{Key: j.Key, Command: j.Command, Env: map[string]string{}, Limits: j.Limits}
	for name, v := range j.Env {
		o.Env[name] = strings.ReplaceAll(v, "{server}", e.opts.URL)
	}
	return o, nil
}

// keep is the bucket.
type keep struct{ bucket *blob.Bucket }

func path(id, name string) string { return "attempts/" + id + "/" + name }

func keyPath(engine, key string) string { return "keys/" + engine + "/" + digest(key) }

// trouble is an error of the bucket as a fault.
func trouble(err error, what string) error {
	return fault.Wrap(err, fault.Unavailable, "%s of the job cannot be kept or read", what)
}

func absent(err error) bool { return gcerrors.Code(err) == gcerrors.NotFound }

// read reads a record; false: it is not there.
func (k keep) read(ctx context.Context, id, name string, to any) (bool, error) {
	raw, err := k.bytes(ctx, path(id, name))
	if raw == nil || err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return false, fault.Wrap(err, fault.Internal, "%s of job %s is damaged", name, id)
	}
	return true, nil
}

// bytes reads a small object; nil: it is not there.
func (k keep) bytes(ctx context.Context, name string) ([]byte, error) {
	r, err := k.bucket.NewReader(ctx, name, nil)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, trouble(err, name)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxRecord))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, trouble(err, name)
	}
	return raw, nil
}

func (k keep) exists(ctx context.Context, id, name string) (bool, error) {
	ok, err := k.bucket.Exists(ctx, path(id, name))
	if err != nil {
		return false, trouble(err, name)
	}
	return ok, nil
}

// write writes a record over what was there.
func (k keep) write(ctx context.Context, id, name string, v any) error {
	_, err := k.set(ctx, path(id, name), v, false)
	return err
}

// once writes a record unless there is one; false: there is.
func (k keep) once(ctx context.Context, id, name string, v any) (bool, error) {
	return k.set(ctx, path(id, name), v, true)
}

// name makes id what the key stands for, unless it stands for another.
func (k keep) name(ctx context.Context, engine, key, id string) error {
	_, err := k.set(ctx, keyPath(engine, key), id, true)
	return err
}

// idOf is what the key stands for; empty: nothing.
func (k keep) idOf(ctx context.Context, engine, key string) (string, error) {
	raw, err := k.bytes(ctx, keyPath(engine, key))
	if raw == nil || err != nil {
		return "", err
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil {
		return "", fault.Wrap(err, fault.Internal, "the name of a job is damaged")
	}
	return id, nil
}

func (k keep) set(ctx context.Context, name string, v any, once bool) (bool, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", name, err)
	}
	return k.lay(ctx, name, raw, once)
}

// lay writes bytes; once: unless there are some, which is false. Some are there too where
// the answer of a write was lost, and it was sent again.
func (k keep) lay(ctx context.Context, name string, raw []byte, once bool) (bool, error) {
	err := k.bucket.Upload(ctx, name, bytes.NewReader(raw), &blob.WriterOptions{IfNotExist: once, ContentType: "application/octet-stream"})
	if err == nil {
		return true, nil
	}
	if once { // a bucket may hang up on what comes too late, and say no more
		if there, e := k.bucket.Exists(ctx, name); there && e == nil {
			return false, nil
		}
	}
	return false, trouble(err, name)
}

// inputs keeps the inputs of a job by their digests, and notes them in the order.
func (k keep) inputs(ctx context.Context, id string, o *order, inputs map[string]executor.Input) error {
	for name, in := range inputs {
		r, err := in.Open(ctx)
		if err != nil {
			return err
		}
		sum, err := summed(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the input %s cannot be read", name)
		}
		if sum.n != in.Size {
			return fault.New(fault.Invalid, "the input %s has %d bytes, not %d", name, sum.n, in.Size)
		}
		if r, err = in.Open(ctx); err != nil {
			return err
		}
		err = k.pour(ctx, path(id, inputFile(sum.hex())), r, sum.hex(), in.Size)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		if o.Inputs == nil {
			o.Inputs = map[string]laid{}
		}
		o.Inputs[name] = laid{SHA256: sum.hex(), Size: in.Size, Mode: in.Mode}
	}
	return nil
}

// counted is a digest of so many bytes.
type counted struct {
	h hash.Hash
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.h.Write(p)
}

func (c *counted) hex() string { return hex.EncodeToString(c.h.Sum(nil)) }

func summed(r io.Reader) (*counted, error) {
	c := &counted{h: sha256.New()}
	_, err := io.Copy(c, r)
	return c, err
}

// pour writes what is read, unless it is not of the digest or longer than most: then
// nothing is there, and it is an Invalid or a TooLarge fault.
func (k keep) pour(ctx context.Context, name string, r io.Reader, want string, most int64) error {
	ctx, cancel := context.WithCancel(ctx) // canceled before the end, the object does not come to be
	defer cancel()
	p := &poured{from: io.LimitReader(r, most+1), to: &counted{h: sha256.New()}, want: want, most: most, stop: cancel}
	err := k.bucket.Upload(ctx, name, p, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if p.err != nil {
		return p.err
	}
	if err != nil {
		return trouble(err, "a file")
	}
	return nil
}

// poured is what pour reads. It ends well only where it is what it should be.
type poured struct {
	from io.Reader
	to   *counted
	want string
	most int64
	stop func()
	err  error // why it did not end well
}

// Read reads on.
func (p *poured) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	_, _ = p.to.Write(b[:n]) // never fails
	switch {
	case p.to.n > p.most:
		p.err = fault.New(fault.TooLarge, "a file of the job has more than %d bytes", p.most)
	case errors.Is(err, io.EOF) && p.to.hex() != p.want:
		p.err = fault.New(fault.Invalid, "a file of the job is not what its digest says")
	case err != nil && !errors.Is(err, io.EOF):
		p.err = trouble(err, "a file")
	}
	if p.err != nil {
		p.stop()
		err = p.err
	}
	return n, err
}

// list calls see for all objects below a name, in order.
func (k keep) list(ctx context.Context, below string, see func(*blob.ListObject) error) error {
	it := k.bucket.List(&blob.ListOptions{Prefix: below})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return trouble(err, "the list")
		}
		if err := see(o); err != nil {
			return err
		}
	}
}

// remove removes all of an attempt, the order last: what is half removed is removed again.
func (k keep) remove(ctx context.Context, id string) error {
	var names []string
	if err := k.list(ctx, path(id, ""), func(o *blob.ListObject) error {
		if o.Key != path(id, jobFile) {
			names = append(names, o.Key)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, name := range append(names, path(id, jobFile)) {
		if err := k.bucket.Delete(ctx, name); err != nil && !absent(err) {
			return trouble(err, name)
		}
	}
	return nil
}
