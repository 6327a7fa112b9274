// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Ray is a head of Ray with four processors.
type Ray struct {
	URL    string
	Token  string   // the file of the token that it asks for
	Python string   // with Ray in it
	Env    []string // of a shell in which its programs find it

	t    testing.TB
	head *Part
	dir  string
}

// StartRay starts a head that asks for a token. All its listeners are on 127.0.0.1.
func StartRay(t testing.TB) *Ray {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ray") // short: the path of a socket holds 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	dashboard := local(port(t))
	r := &Ray{URL: "http://" + dashboard, Token: filepath.Join(dir, "token"), Python: cached(t, "ray/bin/python"), t: t, dir: dir}
	if err := os.WriteFile(r.Token, []byte(strings.Repeat("secret", 8)), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Dir(r.Python)
	r.Env = []string{"RAY_ADDRESS=" + r.URL, "RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN_PATH=" + r.Token, "RAY_USAGE_STATS_ENABLED=0", "HOME=" + dir, "PATH=" + bin + ":" + os.Getenv("PATH")}
	gcs, agent := strconv.Itoa(port(t)), strconv.Itoa(port(t)) // of two heads, the second's agent would not start on the usual port
	r.head = start(t, filepath.Join(dir, "log"), "ray", func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, "ray"), "start", "--block", "--head", "--node-ip-address=127.0.0.1", "--port="+gcs,
			"--dashboard-host=127.0.0.1", "--dashboard-port="+after(dashboard), "--dashboard-agent-listen-port="+agent, "--num-cpus=4", "--num-gpus=0", "--object-store-memory=80000000",
			"--temp-dir="+dir, "--disable-usage-stats")
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), r.Env[1:]...), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0")
		return cmd
	})
	t.Cleanup(func() { r.Kill("") }) // before the head, whose children outlive it
	r.ready()
	return r
}

// KillGCS kills the part of the head that knows all, and says how many there were. What
// started it here is stopped before, as it would end all other parts at once: as services
// of their own they go on for about a minute.
func (r *Ray) KillGCS() int {
	r.t.Helper()
	r.head.stop()
	return r.Kill("gcs_server")
}

// Again starts a new head in the place of the one that died, or will now. It knows nothing
// of the jobs before.
func (r *Ray) Again() {
	r.t.Helper()
	r.Kill("")
	r.head.Kill()
	r.head.Start()
	r.ready()
}

func (r *Ray) ready() {
	r.t.Helper()
	until(r.t, "Ray to take a job", func() bool {
		return strings.HasPrefix(r.Do(http.MethodPost, "/api/jobs/", `{"entrypoint":"true"}`), "{")
	})
}

// Do is an answer of its API; empty: it gave none.
func (r *Ray) Do(method, path, body string) string {
	r.t.Helper()
	req, err := http.NewRequest(method, r.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.Repeat("secret", 8))
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(raw)
}

// Kill ends, as kill -9, those of its processes whose command line holds the text, and
// says how many there were. They are known by the folder in their environment.
func (r *Ray) Kill(text string) int {
	r.t.Helper()
	n := 0
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, path := range all {
		env, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(env), "RAY_AUTH_TOKEN_PATH="+r.Token) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil || !strings.Contains(string(line), text) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			r.t.Fatal(err)
		}
		if p, err := os.FindProcess(pid); err == nil && p.Kill() == nil {
			n++
		}
	}
	return n
}
