// SPDX-License-Identifier: Apache-2.0

// Command models measures what a server costs by the number of its models while nobody
// asks it anything: it starts one on an empty folder, has that train and take live so many
// models of the bikes, and counts the processor's time and the memory of a while.
//
//	go run ./bench/models -models 10,50,100
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/examples"
	"flyball/model/registry"
)

const address = "127.0.0.1:27191"

func main() {
	counts := flag.String("models", "10,50,100", "how many models, one measurement after the other")
	each := flag.Duration("for", 30*time.Second, "how long to look at each")
	flag.Parse()
	if err := run(context.Background(), strings.Split(*counts, ","), *each); err != nil {
		fmt.Fprintln(os.Stderr, "the measurement failed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, counts []string, each time.Duration) error {
	dir, err := os.MkdirTemp("", "flyball-models-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "flyball")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/flyball").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	server := exec.CommandContext(ctx, binary, "serve", "--data", filepath.Join(dir, "data"), "--listen", address, "--grpc", "", "--log", "error")
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}()
	data, err := hours()
	if err != nil {
		return err
	}
	c := client.New("http://"+address, "", nil)
	have := 0
	fmt.Printf("%8s  %22s  %12s\n", "models", "processor at rest", "memory")
	for _, text := range counts {
		want, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		for ; have < want; have++ {
			if err := apply(ctx, c, fmt.Sprintf("bikes-%d", have), data); err != nil {
				return err
			}
		}
		if err := settle(ctx, c, want); err != nil {
			return err
		}
		before, _, err := used(server.Process.Pid)
		if err != nil {
			return err
		}
		time.Sleep(each)
		after, memory, err := used(server.Process.Pid)
		if err != nil {
			return err
		}
		fmt.Printf("%8d  %19.2f %%  %9d MB\n", want, 100*(after-before).Seconds()/each.Seconds(), memory>>20)
	}
	return nil
}

// apply has the server learn a model of the bikes under a name, once it is up.
func apply(ctx context.Context, c *client.Client, name string, data []byte) error {
	raw, err := examples.Bike.ReadFile("bike-demand/model.yaml")
	if err != nil {
		return err
	}
	file := string(raw)
	for _, x := range [][2]string{
		{"name: bike-demand", "name: " + name},
		{"trees: 200", "trees: 20"},
		{"also: predictions", "also: none"},
		{"  reproduce: required\n", ""},
		{"    - {column: lag168, missing: {at_most: 5%}}\n", ""},
		{"    lag24: number\n    lag168: number\n", ""},
		{"bake: {for: 7d}", "bake: {for: 0s}"},
		{"fallback: {column: lag168}", "fallback: {value: 170}"},
	} {
		if !strings.Contains(file, x[0]) {
			return fmt.Errorf("the example's model file has no %q", x[0])
		}
		file = strings.Replace(file, x[0], x[1], 1)
	}
	var up wire.Upload
	for range 100 {
		if up, err = c.Upload(ctx, bytes.NewReader(data)); err == nil || !client.Unreachable(err) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, wire.ApplyRequest{
		Name: "model.yaml", File: file, Data: map[string]registry.DataFile{"bikes_2011.csv.gz": {Digest: blob.Digest(up.Digest), Size: up.Size}},
	})
	return err
}

// settle waits until so many models are live and nothing is under way.
func settle(ctx context.Context, c *client.Client, want int) error {
	for range 600 {
		all, err := c.Statuses(ctx)
		if err != nil {
			return err
		}
		live := 0
		for _, s := range all {
			if s.Live != 0 {
				live++
			}
		}
		if live == want {
			time.Sleep(5 * time.Second)
			return nil
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("not all %d models went live in ten minutes", want)
}

// used is the processor's time and the resident memory of a process.
func used(pid int) (cpu time.Duration, memory int64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+2:]))
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	pages, _ := strconv.ParseInt(f[21], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, pages * int64(os.Getpagesize()), nil
}

// hours is the example's data, moved on by whole weeks to end before now.
func hours() ([]byte, error) {
	raw, err := examples.Bike.ReadFile("bike-demand/demo_bike_hourly.csv.gz")
	if err != nil {
		return nil, err
	}
	in, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return nil, err
	}
	const form = "2006-01-02T15:04"
	last, err := time.Parse(form, rows[len(rows)-1][0])
	if err != nil {
		return nil, err
	}
	weeks := time.Since(last).Truncate(7 * 24 * time.Hour)
	for _, r := range rows[1:] {
		at, err := time.Parse(form, r[0])
		if err != nil {
			return nil, err
		}
		r[0] = at.Add(weeks).Format(form)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := csv.NewWriter(z)
	if err := w.WriteAll(append(rows[:1:1], rows[len(rows)-4000:]...)); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}
