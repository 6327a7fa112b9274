// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net"
	"path/filepath"
	"testing"
)

func TestSystemdHearsThatTheServerAnswers(t *testing.T) {
	at := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	if err := tellReady(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("got %q, %v", b[:n], err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := tellReady(); err != nil {
		t.Errorf("without systemd: %v", err)
	}
}
