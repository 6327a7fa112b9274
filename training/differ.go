// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flyball/training/environment"
)

// told are the comparisons of which at least one side says something.
func told(all ...Comparison) []Comparison {
	return slices.DeleteFunc(all, func(c Comparison) bool { return c.Recorded == "" && c.Again == "" })
}

// splits compares which rows of the snapshot trained the judged version, tested it, and trained
// the final one.
func splits(was, now parts) []Comparison {
	return told(
		Comparison{"rows trained on", string(was.Train), string(now.Train)},
		Comparison{"rows tested on", string(was.Test), string(now.Test)},
		Comparison{"rows trained on at last", string(was.Final), string(now.Final)},
	)
}

// machines compares where and in what a version was made, and made again. instead is why
// its Python environment is not the one that is recorded; empty: it should be.
func (t *Trainer) machines(ctx context.Context, was, now recorded, instead string) ([]Comparison, error) {
	a, b := was.In.Machine, now.In.Machine
	out := []Comparison{
		{"os", a.OS, b.OS},
		{"system", a.System, b.System},
		{"kernel", a.Kernel, b.Kernel},
		{"architecture", a.Arch, b.Arch},
		{"processor", a.CPU, b.CPU},
		{"processor features", strings.Join(a.Features, " "), strings.Join(b.Features, " ")},
		{"processors", count(a.CPUs), count(b.CPUs)},
		{"threads", count(was.In.Threads), count(now.In.Threads)},
		{"go", was.Builder.Version["go"], now.Builder.Version["go"]},
		{"flyball", was.Builder.Version["flyball"], now.Builder.Version["flyball"]},
	}
	pythons, err := t.pythons(ctx, was.In.Environment, now.In.Environment)
	if err == nil && instead != "" {
		pythons = append(pythons, Comparison{"environment made again", "", "no: " + instead})
	}
	return told(append(out, pythons...)...), err
}

// count is a number of things; empty where there is none.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// pythons compares two interpreters with their packages, of which those are named that
// differ. nil: there is none.
func (t *Trainer) pythons(ctx context.Context, a, b *interpreter) ([]Comparison, error) {
	var none interpreter
	if a == nil {
		a = &none
	}
	if b == nil {
		b = &none
	}
	out := []Comparison{
		{"python", a.Version, b.Version},
		{"python implementation", a.Implementation, b.Implementation},
		{"python platform", a.Platform, b.Platform},
		{"libc", a.LibC, b.LibC},
		{"python environment", string(a.Lock), string(b.Lock)},
	}
	if a.Lock == b.Lock {
		return out, nil
	}
	was, err := t.packages(ctx, a)
	if err != nil {
		return nil, err
	}
	now, err := t.packages(ctx, b)
	if err != nil {
		return nil, err
	}
	both := maps.Clone(was)
	maps.Copy(both, now)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if was[name] != now[name] {
			out = append(out, Comparison{"package " + name, was[name], now[name]})
		}
	}
	return out, nil
}

// packages are the versions of the packages of an interpreter, from its lock.
func (t *Trainer) packages(ctx context.Context, p *interpreter) (map[string]string, error) {
	if p.Lock == "" {
		return map[string]string{}, nil
	}
	lock, err := readBlob(ctx, t.Blobs, p.Lock)
	return environment.PackagesOf(lock), err
}
