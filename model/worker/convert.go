// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"context"
	_ "embed" // the program
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"flyball/fault"
	"flyball/model"
)

//go:embed flyball_convert.py
var converter []byte

// converting are the requirements of a conversion, besides the model's own.
const converting = "\nskl2onnx\nonnx\n"

// maxONNX bounds what a conversion gives.
const maxONNX = 1 << 30

// Convert writes a model of scikit-learn as ONNX, with skl2onnx in an environment of the
// model's requirements and that, or in the operator's. The model's code runs, as it does
// when it scores. What comes is not checked: whoever uses it compares its scores with
// the model's. A model that cannot be converted is a Refused fault.
func (h *Host) Convert(ctx context.Context, m model.Manifest, files model.Files) (onnx []byte, err error) {
	raw, err := files.Read(FileName)
	if err != nil {
		return nil, err
	}
	file, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	f, err := h.place(m, files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.release(f)) }()
	about, err := f.describe()
	if err != nil {
		return nil, err
	}
	python, err := h.interpreter(ctx, file.Python, f, converting, h.opts.Logger.With("model", m.Model))
	if err != nil {
		return nil, err
	}
	dir, err := h.workshop(loading{File: file, Folder: f.path, Flavors: about.Flavors, Tensors: about.Tensors})
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "a folder for the conversion cannot be made")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(ctx, h.opts.Start)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-B", filepath.Join(dir, "flyball_convert.py"), filepath.Join(dir, "about.json"), filepath.Join(dir, "model.onnx"))
	cmd.Dir, cmd.Env = dir, h.environ(dir)
	said, err := newOutput(dir, h.opts.Now)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the conversion's log cannot be written")
	}
	defer func() { err = errors.Join(err, said.Close()) }()
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return nil, fault.Wrap(err, fault.Refused, "the model cannot be written as ONNX: %s", said.last(3))
	}
	info, err := os.Stat(filepath.Join(dir, "model.onnx"))
	if err != nil || info.Size() > maxONNX {
		return nil, fault.New(fault.Refused, "the conversion to ONNX gave no file, or too large a one")
	}
	b, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	return b, fault.Wrap(err, fault.Unavailable, "the converted model cannot be read")
}

// workshop is a folder with the programs and what they are told.
func (h *Host) workshop(about loading) (string, error) {
	place := filepath.Join(h.opts.Dir, "convert")
	if err := os.MkdirAll(place, 0o750); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(place, "")
	if err != nil {
		return "", err
	}
	var meta bytes.Buffer
	err = json.NewEncoder(&meta).Encode(about)
	for name, content := range map[string][]byte{"flyball_worker.py": program, "flyball_convert.py": converter, "about.json": meta.Bytes()} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o640))
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("prepare a conversion: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}
