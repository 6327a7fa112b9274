// SPDX-License-Identifier: Apache-2.0

package blobtest

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// S3 starts an S3 server with the bucket lake, whose objects are the files of the folder
// that it returns, and has the environment name it until the test ends. program is
// versitygw; where scripts/setup.sh could not build it the test is skipped.
func S3(t *testing.T, program string) (lake string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skip("no S3 server here: scripts/setup.sh builds versitygw")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	lake = filepath.Join(root, "lake")
	if err := os.Mkdir(lake, 0o700); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(program, "--port", at, "--access", "tester", "--secret", "of-a-test", "posix", root)
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
		t.Fatalf("versitygw does not come up: %s", strings.Join(before, "\n"))
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": "http://" + at, "AWS_ENDPOINT_URL": "", "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "of-a-test", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return lake
}
