// SPDX-License-Identifier: Apache-2.0

// Command artifacts uploads and downloads a large file through Flyball and through a
// plain Go file server, in one run, and says how much longer Flyball takes, how much
// processor time it uses and how much memory it holds.
//
//	go build -o bin/flyball ./cmd/flyball && go run ./bench/artifacts -binary bin/flyball
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	binaryPath := flag.String("binary", "bin/flyball", "the flyball to measure")
	size := flag.Int64("bytes", 1<<30, "size of the file")
	rounds := flag.Int("rounds", 5, "how often; the middle counts")
	plain := flag.String("plain", "", "for the program itself: serve this folder at -listen")
	listen := flag.String("listen", "", "for the program itself")
	sync := flag.Bool("sync", false, "for the program itself: bring uploads to the disk")
	flag.Parse()
	var err error
	if *plain != "" {
		err = servePlain(*plain, *listen, *sync)
	} else {
		err = measure(*binaryPath, *size, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "artifacts:", err)
		os.Exit(1)
	}
}

// servePlain is what one writes in a minute: files in a folder, and PUT.
func servePlain(dir, listen string, sync bool) error {
	files := http.FileServer(http.Dir(dir))
	s := &http.Server{Addr: listen, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			files.ServeHTTP(w, r)
			return
		}
		if err := receive(filepath.Join(dir, path.Base(r.URL.Path)), r.Body, sync); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	return s.ListenAndServe()
}

func receive(to string, from io.Reader, sync bool) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if sync && err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// peer is a server under measurement.
type peer struct {
	name     string
	url      string // of the folder that files are put into
	process  *exec.Cmd
	up, down []float64 // seconds
	cpuUp    []float64 // seconds of processor
	cpuDown  []float64
}

func measure(flyball string, size int64, rounds int) error {
	dir, err := os.MkdirTemp("", "flyball-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var peers []*peer
	defer func() {
		for _, p := range peers {
			_ = p.process.Process.Kill()
			_ = p.process.Wait() // killed
		}
	}()
	for i, name := range []string{"plain", "plain, to the disk", "flyball"} {
		port, err := freePort()
		if err != nil {
			return err
		}
		folder := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		p := &peer{name: name, url: "http://" + port + "/"}
		switch name {
		case "flyball":
			p.process = exec.Command(flyball, "serve", "--data", folder, "--listen", port, "--log", "error")
			p.url += "api/2.0/mlflow-artifacts/artifacts/0/bench/artifacts/"
		default:
			p.process = exec.Command(self, "-plain", folder, "-listen", port, "-sync="+strconv.FormatBool(i == 1))
		}
		p.process.Stderr = os.Stderr
		if err := p.process.Start(); err != nil {
			return err
		}
		peers = append(peers, p)
		if err := p.ready(port); err != nil {
			return err
		}
	}
	for round := range rounds {
		for i := range peers { // each is first as often as the others
			p := peers[(i+round)%len(peers)]
			syscall.Sync() // so that nobody pays for what another has written
			if err := p.round(round, size); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return report(peers, size, rounds)
}

func freePort() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (p *peer) ready(address string) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// round uploads a file that no round before had, and downloads it.
func (p *peer) round(n int, size int64) error {
	url := p.url + "file" + strconv.Itoa(n)
	req, err := http.NewRequest(http.MethodPut, url, io.NopCloser(&pattern{left: size, seed: uint64(n)}))
	if err != nil {
		return err
	}
	req.ContentLength = size
	seconds, cpu, err := p.ask(req, io.Discard)
	if err != nil {
		return err
	}
	p.up, p.cpuUp = append(p.up, seconds), append(p.cpuUp, cpu)
	if req, err = http.NewRequest(http.MethodGet, url, nil); err != nil {
		return err
	}
	count := &counter{}
	if seconds, cpu, err = p.ask(req, count); err != nil {
		return err
	}
	if count.n != size {
		return fmt.Errorf("got %d bytes back, want %d", count.n, size)
	}
	p.down, p.cpuDown = append(p.down, seconds), append(p.cpuDown, cpu)
	return nil
}

func (p *peer) ask(req *http.Request, to io.Writer) (seconds, cpu float64, err error) {
	before, err := p.cpu()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	_, err = io.CopyBuffer(to, struct{ io.Reader }{res.Body}, make([]byte, 256<<10))
	seconds = time.Since(began).Seconds()
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return 0, 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, 0, errors.New(res.Status)
	}
	after, err := p.cpu()
	return seconds, after - before, err
}

// counter counts what it is given.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// pattern is bytes that cost nothing to make; each 64 KiB begin with their number, so
// that no two files are the same.
type pattern struct {
	left int64
	seed uint64
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.left, 64<<10))
	if n >= 16 {
		binary.LittleEndian.PutUint64(b, p.seed)
		binary.LittleEndian.PutUint64(b[8:], uint64(p.left))
	}
	p.left -= int64(n)
	return n, nil
}

// cpu is the processor time that the server has used, in seconds (proc(5)).
func (p *peer) cpu() (float64, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.process.Process.Pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var ticks float64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks / 100, nil
}

// memory is the most that the server ever held, in MiB.
func (p *peer) memory() (float64, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(p.process.Process.Pid) + "/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(kib), " kB"), 64)
			return n / 1024, err
		}
	}
	return 0, errors.New("the system does not tell the memory of a process")
}

func middle(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

func report(peers []*peer, size int64, rounds int) error {
	fmt.Printf("%d MiB, the middle of %d rounds\n%-20s %10s %8s %10s %8s %12s\n", size>>20, rounds, "", "upload s", "CPU s", "download s", "CPU s", "memory MiB")
	for _, p := range peers {
		m, err := p.memory()
		if err != nil {
			return err
		}
		fmt.Printf("%-20s %10.2f %8.2f %10.2f %8.2f %12.0f\n", p.name, middle(p.up), middle(p.cpuUp), middle(p.down), middle(p.cpuDown), m)
	}
	last := peers[len(peers)-1]
	for _, p := range peers[:len(peers)-1] {
		fmt.Printf("flyball ÷ %-18s upload %.2f, download %.2f\n", p.name, middle(last.up)/middle(p.up), middle(last.down)/middle(p.down))
	}
	return nil
}
