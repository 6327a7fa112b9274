// SPDX-License-Identifier: Apache-2.0

package app

import (
	"net"
	"strings"
	"testing"

	"flyball/fault"
)

func TestGRPCIsAtTheNextPort(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:7180": "127.0.0.1:7181", "127.0.0.1:0": "127.0.0.1:0", "[::1]:9": "[::1]:10", "localhost:x": "localhost:x", "": "",
	} {
		if got := GRPCAddress(listen); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}

func TestAPortOfGRPCThatIsTakenIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = listenGRPC(t.Context(), l.Addr().String())
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "for gRPC, is taken; choose another with --grpc") {
		t.Errorf("got %v", err)
	}
	if l, err := listenGRPC(t.Context(), ""); l != nil || err != nil {
		t.Errorf("none: got %v, %v", l, err)
	}
}
