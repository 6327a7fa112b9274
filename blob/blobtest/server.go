// SPDX-License-Identifier: Apache-2.0

package blobtest

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// free is an address of this machine at which nothing listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return at
}

// serve starts a server, and returns when it says that it is at the address. It ends with
// the test.
func serve(t *testing.T, at, program string, args ...string) {
	t.Helper()
	server := exec.Command(program, args...)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = server.Stdout
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() }) // then its output ends
	said := bufio.NewScanner(out)
	var before []string
	up := false
	for !up && said.Scan() {
		before = append(before, said.Text())
		up = strings.Contains(said.Text(), "http://"+at)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for said.Scan() { // or it would stop when the pipe is full
		}
	}()
	t.Cleanup(func() {
		kill.Stop()
		_ = server.Process.Kill() // its data goes with it
		<-drained
		_ = server.Wait() // says that it was killed
	})
	if !kill.Stop() || !up {
		t.Fatalf("%s does not come up: %s", program, strings.Join(before, "\n"))
	}
}

func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
}
