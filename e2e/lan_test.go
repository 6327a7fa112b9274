// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// lan is a switch with machines on it, each a network namespace of its own, and this
// process at host. Its names have this process's number in them, so that what a test that
// was killed left behind is known and taken away by the next.
type lan struct {
	t    *testing.T
	id   int
	host string // this process's address in it
	n    int
}

const spaces = "flyball-"

// newLAN makes one, until the test ends; where that is not allowed the test is skipped.
func newLAN(t *testing.T) *lan {
	t.Helper()
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("machines of a network need root, and %s", program)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("machines of a network need root")
	}
	sweepSpaces()
	id := os.Getpid()
	n := &lan{t: t, id: id, host: fmt.Sprintf("10.77.%d.254", id%250)}
	t.Cleanup(func() { removeSpaces(strconv.Itoa(id)) })
	hub, link := n.space("hub"), fmt.Sprint("fb", id)
	n.ip("netns", "add", hub)
	n.ip("-n", hub, "link", "add", "br0", "type", "bridge")
	n.ip("-n", hub, "link", "set", "br0", "up")
	n.ip("link", "add", link, "type", "veth", "peer", "name", "p-host", "netns", hub)
	n.ip("-n", hub, "link", "set", "p-host", "master", "br0", "up")
	n.ip("addr", "add", n.host+"/24", "dev", link)
	n.ip("link", "set", link, "up")
	return n
}

func (n *lan) space(name string) string { return fmt.Sprint(spaces, n.id, "-", name) }

// machine adds a machine and gives its address.
func (n *lan) machine(name string) string {
	n.t.Helper()
	n.n++
	at, space, hub := fmt.Sprintf("10.77.%d.%d", n.id%250, n.n), n.space(name), n.space("hub")
	n.ip("netns", "add", space)
	n.ip("link", "add", "eth0", "netns", space, "type", "veth", "peer", "name", "p-"+name, "netns", hub)
	n.ip("-n", hub, "link", "set", "p-"+name, "master", "br0", "up")
	n.ip("-n", space, "addr", "add", at+"/24", "dev", "eth0")
	n.ip("-n", space, "link", "set", "eth0", "up")
	n.ip("-n", space, "link", "set", "lo", "up")
	return at
}

// ways are the directions of a cut.
var ways = map[string][2]bool{"both ways": {true, true}, "out": {true, false}, "in": {false, true}}

// cut has a machine lose all packets to and from some addresses of a port (0: all ports),
// as a broken cable does, until heal. Cuts are told apart by their names.
func (n *lan) cut(machine, name, way string, port int, addresses ...string) {
	to, from := "", ""
	if port != 0 {
		to, from = fmt.Sprintf("tcp dport %d ", port), fmt.Sprintf("tcp sport %d ", port)
	}
	set := "{ " + strings.Join(addresses, ", ") + " }"
	rules := "table inet " + name + " {\n"
	if ways[way][0] {
		rules += "chain o { type filter hook output priority 0; ip daddr " + set + " " + to + "drop;\n}\n"
	}
	if ways[way][1] {
		rules += "chain i { type filter hook input priority 0; ip saddr " + set + " " + from + "drop;\n}\n"
	}
	cmd := exec.Command("ip", "netns", "exec", n.space(machine), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules + "}\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Errorf("nft: %v\n%s\n%s", err, out, rules)
	}
}

func (n *lan) heal(machine, name string) {
	n.ip("netns", "exec", n.space(machine), "nft", "delete", "table", "inet", name)
}

func (n *lan) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// sweepSpaces removes what tests left behind that are no more.
func sweepSpaces() {
	out, _ := exec.Command("ip", "netns", "list").Output() // none: none is left
	for line := range strings.Lines(string(out)) {
		id, _, _ := strings.Cut(strings.TrimPrefix(line, spaces), "-")
		pid, err := strconv.Atoi(id)
		if strings.HasPrefix(line, spaces) && err == nil && syscall.Kill(pid, 0) != nil {
			removeSpaces(id)
		}
	}
}

// removeSpaces removes the machines of a process, and what runs on them.
func removeSpaces(id string) {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(name, spaces+id+"-") {
			continue
		}
		pids, _ := exec.Command("ip", "netns", "pids", name).Output()
		for pid := range strings.FieldsSeq(string(pids)) {
			if n, err := strconv.Atoi(pid); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL) // it may have ended
			}
		}
		_ = exec.Command("ip", "netns", "del", name).Run() // with its end of each cable
	}
}
