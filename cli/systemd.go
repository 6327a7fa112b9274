// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net"
	"os"
)

// tellReady tells systemd, where it started this process with Type=notify, that the server
// answers. See sd_notify(3).
func tellReady() error {
	at := os.Getenv("NOTIFY_SOCKET")
	if at == "" {
		return nil
	}
	if at[0] == '@' { // of the abstract name space
		at = "\x00" + at[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("READY=1"))
	_ = c.Close() // it is sent
	return err
}
