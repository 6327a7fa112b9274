// SPDX-License-Identifier: Apache-2.0

package ray

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// tasks runs a command as many tasks of Ray.
//
//go:embed tasks.py
var tasks string

// parcel is what Ray brings to the node, and how the job begins there.
type parcel struct {
	name       string // of no other job's: a node takes what it keeps under a name, and misses env there
	zip        []byte
	entrypoint string // a line of the shell, in the folder of the parcel
}

// pack lays a job's variables in a file, which the node removes as it reads it.
func (e *Engine) pack(s cluster.Spec) (parcel, error) {
	if len(s.Command) == 0 {
		return parcel{}, fault.New(fault.Invalid, "the job has no command")
	}
	names := slices.Sorted(maps.Keys(s.Env))
	var env strings.Builder
	for _, name := range names {
		env.WriteString(name + "=" + quote(s.Env[name]) + "\n")
	}
	command := s.Command
	if r := s.Resources; r.Tasks > 0 {
		command = slices.Concat([]string{
			e.opts.Python, "tasks.py", strconv.Itoa(r.Tasks), strconv.Itoa(r.CPUs), strconv.Itoa(r.GPUs), strconv.FormatInt(int64(r.Memory), 10), strings.Join(names, ","),
		}, command)
	}
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = quote(word)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range []struct{ name, text string }{{"env", env.String()}, {"tasks.py", tasks}} {
		w, err := z.Create(f.name)
		if err != nil {
			return parcel{}, err
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			return parcel{}, err
		}
	}
	if err := z.Close(); err != nil {
		return parcel{}, err
	}
	sum := sha256.Sum256(append([]byte(s.Name), out.Bytes()...))
	return parcel{
		name: "_ray_pkg_" + hex.EncodeToString(sum[:16]) + ".zip", zip: out.Bytes(),
		entrypoint: "set -a && . ./env && set +a && rm env && exec " + strings.Join(quoted, " "),
	}, nil
}

// quote is text as one word of the shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
