// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flyball/blob"
	"flyball/blob/artifact"
)

const artifacts = "/api/2.0/mlflow-artifacts/artifacts/"

// file asks for a file of the first run, with headers given as "Name: value".
func (c *client) file(verb, name, body string, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequest(verb, artifacts+"0/"+c.runs[0]+"/artifacts/"+name, strings.NewReader(body))
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
	}
	return c.do(r)
}

func (c *client) put(name, body string) {
	c.t.Helper()
	if w := c.file("PUT", name, body); w.Code != http.StatusOK || w.Body.Len() != 0 {
		c.t.Fatalf("put %s: %d %s, want 200 and nothing", name, w.Code, w.Body)
	}
}

func withRun(t *testing.T) *client {
	c := newClient(t)
	if w := c.ask("POST runs/create", `{"experiment_id":"0","run_name":"r"}`); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	return c
}

func TestFilesAreListedAsMLflowListsThem(t *testing.T) {
	c := withRun(t)
	for name, body := range map[string]string{"d.json": `{"a":1}`, "data/empty.txt": "", "data/name%20with%20space%20%C3%A9.txt": "x", "data/sub/g.bin": "123", "f.csv": "a,b"} {
		c.put(name, body)
	}
	const list, root = "GET /api/2.0/mlflow-artifacts/artifacts", "0/$1/artifacts"
	const files = `{"files":[{"path":"empty.txt","is_dir":false},{"path":"name with space é.txt","is_dir":false,"file_size":1},{"path":"sub","is_dir":true}]}`
	c.talk([]exchange{
		{"the files of a run", list + "?path=" + root, "", 200, `{"files":[{"path":"d.json","is_dir":false,"file_size":7},{"path":"data","is_dir":true},{"path":"f.csv","is_dir":false,"file_size":3}]}`},
		{"a folder", list + "?path=" + root + "/data", "", 200, files},
		{"a folder with a slash", list + "?path=" + root + "/data/", "", 200, files},
		{"below the pages' root", "GET /ajax-api/2.0/mlflow-artifacts/artifacts?path=" + root + "/data", "", 200, files},
		{"the root", list, "", 200, `{"files":[{"path":"0","is_dir":true}]}`},
		{"a file is not its own child", list + "?path=" + root + "/d.json", "", 200, `{}`},
		{"what is not there", list + "?path=" + root + "/nope", "", 200, `{}`},
		{"a path that climbs", list + "?path=../etc", "", 400, "Invalid path"},
		{"a path that climbs, encoded twice", list + "?path=%252e%252e/etc", "", 400, "Invalid path"},
		{"a run's files by the run", "GET artifacts/list?run_id=$1", "", 200, `{"root_uri":"mlflow-artifacts:/0/$1/artifacts","files":[{"path":"d.json","is_dir":false,"file_size":7},{"path":"data","is_dir":true},{"path":"f.csv","is_dir":false,"file_size":3}]}`},
		{"under its old name", "GET artifacts/list?run_uuid=$1&path=data/sub", "", 200, `{"root_uri":"mlflow-artifacts:/0/$1/artifacts","files":[{"path":"data/sub/g.bin","is_dir":false,"file_size":3}]}`},
		{"a file by the run", "GET artifacts/list?run_id=$1&path=d.json", "", 200, `{"root_uri":"mlflow-artifacts:/0/$1/artifacts"}`},
		{"nothing by the run", "GET artifacts/list?run_id=$1&path=nope", "", 200, `{"root_uri":"mlflow-artifacts:/0/$1/artifacts"}`},
		{"out of the run", "GET artifacts/list?run_id=$1&path=../..", "", 400, "Invalid path"},
		{"of no run", "GET artifacts/list?path=a", "", 400, "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters."},
		{"of an unknown run", "GET artifacts/list?run_id=zz", "", 404, "Run with id=zz not found"},
		{"a file is deleted", "DELETE " + artifacts + root + "/d.json", "", 200, `{}`},
		{"a folder is deleted", "DELETE " + artifacts + root + "/data", "", 200, `{}`},
		{"twice is once", "DELETE " + artifacts + root + "/data", "", 200, `{}`},
		{"everything is not deleted by mistake", "DELETE " + artifacts, "", 400, "Invalid path"},
		{"what is left", list + "?path=" + root, "", 200, `{"files":[{"path":"f.csv","is_dir":false,"file_size":3}]}`},
	})
}

func TestAFileComesWithWhatItIs(t *testing.T) {
	c := withRun(t)
	for _, e := range []struct{ url, kind, disposition string }{
		{"dir/a.txt", "text/plain", "attachment; filename=a.txt"},
		{"d.json", "text/plain", "attachment; filename=d.json"},
		{"m.yaml", "text/plain", "attachment; filename=m.yaml"},
		{"MLmodel", "text/plain", "attachment; filename=MLmodel"},
		{"README", "text/plain", "attachment; filename=README"},
		{"g.bin", "application/octet-stream", "attachment; filename=g.bin"},
		{"p.PNG", "image/png", "attachment; filename=p.PNG"},
		{"page.html", "text/html", "attachment; filename=page.html"},
		{"a%20b.txt", "text/plain", `attachment; filename="a b.txt"`},
		{"name%20with%20space%20%C3%A9.txt", "text/plain", `attachment; filename="name with space e.txt"; filename*=UTF-8''name%20with%20space%20%C3%A9.txt`},
		{"%E6%97%A5.txt", "text/plain", "attachment; filename=.txt; filename*=UTF-8''%E6%97%A5.txt"},
		{"a%22b.txt", "text/plain", `attachment; filename="a\"b.txt"`},
		{"img+step+1.png", "image/png", "attachment; filename=img+step+1.png"},
		{"100%25.txt", "text/plain", "attachment; filename=100%.txt"},
	} {
		c.put(e.url, "abc")
		w := c.file("GET", e.url, "")
		h := w.Header()
		if w.Code != 200 || w.Body.String() != "abc" {
			t.Errorf("%s: got %d %q", e.url, w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Content-Type": e.kind, "Content-Disposition": e.disposition, "Content-Length": "3", "Accept-Ranges": "bytes",
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox",
			"Etag":        `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
			"Repr-Digest": "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", e.url, name, got, want)
			}
		}
	}
}

func TestPartsOfAFileAreSent(t *testing.T) {
	c := withRun(t)
	c.put("a.txt", "0123456789")
	c.put("empty", "")
	tag := `"` + string(blob.Sum([]byte("0123456789"))) + `"`
	for _, e := range []struct {
		name, verb, file string
		headers          []string
		status           int
		body, span       string
	}{
		{"the whole", "GET", "a.txt", nil, 200, "0123456789", ""},
		{"only what it is", "HEAD", "a.txt", nil, 200, "", ""},
		{"nothing", "GET", "empty", nil, 200, "", ""},
		{"a beginning", "GET", "a.txt", []string{"Range: bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
		{"an end", "GET", "a.txt", []string{"Range: bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{"from a place on", "GET", "a.txt", []string{"Range: bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"more than there is", "GET", "a.txt", []string{"Range: bytes=7-99"}, 206, "789", "bytes 7-9/10"},
		{"past the end", "GET", "a.txt", []string{"Range: bytes=10-"}, 416, "invalid range: failed to overlap\n", "bytes */10"},
		{"part of the same file", "GET", "a.txt", []string{"Range: bytes=0-0", "If-Range: " + tag}, 206, "0", "bytes 0-0/10"},
		{"part of a file that has changed", "GET", "a.txt", []string{"Range: bytes=0-0", `If-Range: "other"`}, 200, "0123456789", ""},
		{"what the caller has", "GET", "a.txt", []string{"If-None-Match: " + tag}, 304, "", ""},
		{"what the caller has not", "GET", "a.txt", []string{`If-None-Match: "other"`}, 200, "0123456789", ""},
		{"another than the caller wants", "GET", "a.txt", []string{`If-Match: "other"`}, 412, "", ""},
	} {
		w := c.file(e.verb, e.file, "", e.headers...)
		if w.Code != e.status || w.Body.String() != e.body || w.Header().Get("Content-Range") != e.span {
			t.Errorf("%s: got %d %q %q, want %d %q %q", e.name, w.Code, w.Body, w.Header().Get("Content-Range"), e.status, e.body, e.span)
		}
	}
	w := c.file("GET", "a.txt", "", "Range: bytes=0-0,5-6")
	if w.Code != 206 || !strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/byteranges") || !strings.Contains(w.Body.String(), "\r\n\r\n56\r\n") {
		t.Errorf("several parts: got %d %q", w.Code, w.Body)
	}
	if w := c.file("GET", "a.txt", "", "Range: bytes="+strings.Repeat("0-9,", 1000)+"0-9"); w.Code == 206 && w.Body.Len() > 1000 {
		t.Errorf("a thousand times the same part: got %d bytes", w.Body.Len())
	}
}

func TestFilesThatCannotBeAreRefused(t *testing.T) {
	c := withRun(t)
	c.put("dir/a.txt", "a")
	for _, e := range []struct {
		verb, name   string
		status       int
		code, reason string
	}{
		{"GET", "zz.txt", 404, "RESOURCE_DOES_NOT_EXIST", "No such artifact: '0/$1/artifacts/zz.txt'"},
		{"HEAD", "zz.txt", 404, "RESOURCE_DOES_NOT_EXIST", "No such artifact: '0/$1/artifacts/zz.txt'"},
		{"GET", "dir", 400, "INVALID_PARAMETER_VALUE", "'0/$1/artifacts/dir' is a directory, not a file"},
		{"PUT", "dir", 400, "INVALID_PARAMETER_VALUE", "'0/$1/artifacts/dir' is a directory, not a file"},
		{"PUT", "dir/a.txt/b", 400, "INVALID_PARAMETER_VALUE", "'0/$1/artifacts/dir/a.txt' is a file, and nothing can lie below it"},
		{"PUT", "new/", 400, "INVALID_PARAMETER_VALUE", "Invalid path"},
		{"POST", "dir/a.txt", 405, "BAD_REQUEST", "The method is not allowed for the requested URL."},
	} {
		w := c.file(e.verb, e.name, "x")
		p := readProblem(t, w)
		if w.Code != e.status || p.Code != e.code || p.Message != e.reason {
			t.Errorf("%s %s: got %d %s %q, want %d %s %q", e.verb, e.name, w.Code, p.Code, p.Message, e.status, e.code, e.reason)
		}
	}
	for _, name := range []string{
		"%2e%2e/x", "a/%2e%2e/%2e%2e/x", "..%2f..%2fx", "%252e%252e/x", "..%5c..%5cx", `..%5Cwindows`, "a%00b", "a%0Ab", "C:/x", "C:%5Cx", "file:x", "a%23b", "a%3Fb",
		strings.Repeat("a/", 5000) + "x", strings.Repeat("x", 300), "a%2F%2Fb", "%ff",
	} {
		for _, verb := range []string{"GET", "PUT", "DELETE"} {
			if w := c.file(verb, name, ""); w.Code != 400 || readProblem(t, w).Message != "Invalid path" {
				t.Errorf("%s %.60s: got %d %s, want Invalid path", verb, name, w.Code, w.Body)
			}
		}
	}
	for _, path := range []string{"../x", "a/../../x", "./x", "a//b", ".."} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPut, artifacts+path, strings.NewReader("x"))
		Straight(c.mux).ServeHTTP(w, r)
		if w.Code != 400 || readProblem(t, w).Message != "Invalid path" {
			t.Errorf("PUT %s: got %d %s, want Invalid path", path, w.Code, w.Body)
		}
	}
	if got := c.ask("GET /api/2.0/mlflow-artifacts/artifacts", "").Body.String(); !sameJSON(t, got, `{"files":[{"path":"0","is_dir":true}]}`) {
		t.Errorf("afterwards there is %s", got)
	}
}

func readProblem(t *testing.T, w *httptest.ResponseRecorder) (p struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
},
) {
	t.Helper()
	m, ok := readJSON(t, w.Body.String()).(map[string]any)
	if !ok {
		t.Fatalf("got %s", w.Body)
	}
	p.Code, _ = m["error_code"].(string)
	p.Message, _ = m["message"].(string)
	return p
}

func TestPiecesAndDirectURLsAreNotOffered(t *testing.T) {
	c := withRun(t)
	const mpu = "POST /api/2.0/mlflow-artifacts/mpu/"
	const dir = "0/$1/artifacts/model"
	const up, down = "artifacts/presigned-upload-url", "artifacts/presigned-download-url"
	const tail = " is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts). This endpoint requires a direct cloud storage artifact URI."
	if w := c.ask("POST logged-models", `{"experiment_id":"0","name":"m"}`); w.Code != 200 {
		t.Fatal(w.Body)
	}
	c.talk([]exchange{
		{"begin an upload in pieces", mpu + "create/" + dir, `{"path":"big.bin","num_parts":50}`, 501, noParts},
		{"as older clients name the file", mpu + "create/" + dir, `{"path":"C:\\Users\\ana\\big.bin","num_parts":50}`, 501, noParts},
		{"with a whole path", mpu + "create/" + dir, `{"path":"/home/ana/big.bin","num_parts":50}`, 501, noParts},
		{"end it", mpu + "complete/" + dir, `{"path":"big.bin","upload_id":"1","parts":[]}`, 501, noParts},
		{"give it up", mpu + "abort/" + dir, `{"path":"big.bin","upload_id":"1"}`, 501, noParts},
		{"a file without a name", mpu + "create/" + dir, `{"path":"a/","num_parts":50}`, 400, "Invalid path"},
		{"a file that climbs", mpu + "create/" + dir, `{"path":"..","num_parts":50}`, 400, "Invalid path"},
		{"a folder that climbs", mpu + "create/%2e%2e/x", `{"path":"a","num_parts":50}`, 400, "Invalid path"},
		{"download in pieces", "GET /api/2.0/mlflow-artifacts/presigned/" + dir + "/a", "", 501, noDownloads},
		{"of a path that climbs", "GET /api/2.0/mlflow-artifacts/presigned/%2e%2e/a", "", 400, "Invalid path"},
		{"upload past the server", "POST " + up, `{"run_id":"$1","path":"a"}`, 400, "Presigned upload" + tail},
		{"of a run and a model", "POST " + up, `{"run_id":"$1","model_id":"m-1","path":"a"}`, 400, "Exactly one of run_id and model_id must be provided."},
		{"of neither", "POST " + up, `{"path":"a"}`, 400, "Exactly one of run_id and model_id must be provided."},
		{"of an unknown model", "POST " + up, `{"model_id":"m-1","path":"a"}`, 404, "Logged model with ID 'm-1' not found."},
		{"of an unknown run", "POST " + up, `{"run_id":"zz","path":"a"}`, 404, "Run with id=zz not found"},
		{"of a path that climbs", "POST " + up, `{"run_id":"$1","path":"../a"}`, 400, "Invalid path"},
		{"download past the server", "POST " + down, `{"run_id":"$1","path":"a"}`, 400, "Presigned download" + tail},
		{"for longer than a week", "POST " + down, `{"run_id":"$1","path":"a","expiration":604801}`, 400, "expiration must be between 1 and 604800 seconds."},
	})
}

func TestTheWebPageReadsAndWritesFiles(t *testing.T) {
	c := withRun(t)
	c.put("a%20b.txt", "abc")
	made := readJSON(t, c.ask("POST logged-models", `{"experiment_id":"0","name":"m"}`).Body.String())
	model, _ := made.(map[string]any)["model"].(map[string]any)["info"].(map[string]any)["model_id"].(string)
	r := httptest.NewRequest(http.MethodPut, artifacts+"0/models/"+model+"/artifacts/data/MLmodel", strings.NewReader("flavors: {}"))
	if w := c.do(r); w.Code != 200 {
		t.Fatal(w.Body)
	}
	up := "/ajax-api/2.0/mlflow/upload-artifact?run_id=$1&path=notes/n.txt"
	for _, e := range []struct {
		name, call, body string
		status           int
		want             string
	}{
		{"a file of a run", "GET /get-artifact?run_id=$1&path=a%20b.txt", "", 200, "abc"},
		{"under the run's old name", "GET /get-artifact?run_uuid=$1&path=a%20b.txt", "", 200, "abc"},
		{"a file is uploaded", "POST " + up, "hello", 200, ""},
		{"and is there", "GET /get-artifact?run_id=$1&path=notes/n.txt", "", 200, "hello"},
		{"one that is too large", "POST " + up, strings.Repeat("x", mostByPage+1), 413, "The request body is larger than 10485760 bytes."},
		{"leaves the other", "GET /get-artifact?run_id=$1&path=notes/n.txt", "", 200, "hello"},
		{"a file outside the run", "GET /get-artifact?run_id=$1&path=../../x", "", 400, "Invalid path"},
		{"no path", "GET /get-artifact?run_id=$1", "", 400, "Missing value for required parameter 'path'. See the API docs for more information about request parameters."},
		{"no run", "GET /get-artifact?path=a", "", 400, "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters."},
		{"a missing file", "GET /get-artifact?run_id=$1&path=nope", "", 404, "No such artifact: '0/$1/artifacts/nope'"},
		{"a file of a logged model", "GET /ajax-api/2.0/mlflow/logged-models/" + model + "/artifacts/files?artifact_file_path=data/MLmodel", "", 200, "flavors: {}"},
		{"outside the model", "GET /ajax-api/2.0/mlflow/logged-models/" + model + "/artifacts/files?artifact_file_path=../x", "", 400, "Invalid path"},
		{"of an unknown model", "GET /ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files?artifact_file_path=x", "", 404, "Logged model with ID 'm-1' not found."},
	} {
		w := c.ask(e.call, e.body)
		got := w.Body.String()
		if e.status >= 400 {
			got = readProblem(t, w).Message
		}
		if w.Code != e.status || got != e.want {
			t.Errorf("%s: got %d %.100q, want %d %q", e.name, w.Code, got, e.status, e.want)
		}
	}
	const root = `"root_uri":"mlflow-artifacts:/0/models/`
	c.talk([]exchange{
		{"a model's files", "GET logged-models/" + model + "/artifacts/directories", "", 200, `{` + root + model + `/artifacts","files":[{"path":"data","is_dir":true}]}`},
		{"a folder of it", "GET logged-models/" + model + "/artifacts/directories?artifact_directory_path=data", "", 200, `{` + root + model + `/artifacts","files":[{"path":"data/MLmodel","is_dir":false,"file_size":11}]}`},
		{"out of it", "GET logged-models/" + model + "/artifacts/directories?artifact_directory_path=..", "", 400, "Invalid path"},
	})
}

// server is a face on a real connection, and a blob store to look into.
func server(t *testing.T, quota int64) (url string, blobs *blob.Bucket) {
	t.Helper()
	blobs, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, func(o *Options) {
		db, ok := o.Tracker.Runs.(artifact.Store)
		if !ok {
			t.Fatal("the store keeps no artifacts")
		}
		o.Artifacts = artifact.New(artifact.Options{Blobs: blobs, Store: db, Quota: quota, Now: morning})
	})
	s := httptest.NewServer(c.mux)
	t.Cleanup(s.Close)
	return s.URL + artifacts, blobs
}

func ask(t *testing.T, verb, url string, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAnEmptyFileComesInNoChunks(t *testing.T) {
	url, _ := server(t, 0)
	chunked := struct{ io.Reader }{strings.NewReader("")} // of unknown length
	if status, body := ask(t, "PUT", url+"0/r/artifacts/empty.txt", io.MultiReader(chunked)); status != 200 || body != "" {
		t.Errorf("got %d %q", status, body)
	}
	if status, body := ask(t, "GET", url+"0/r/artifacts/empty.txt", nil); status != 200 || body != "" {
		t.Errorf("got %d %q", status, body)
	}
}

func TestAnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	url, blobs := server(t, 0)
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	for _, head := range []string{"Content-Length: 5000000\r\n\r\n" + strings.Repeat("x", 2_000_000), "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Transfer-Encoding: chunked\r\n\r\nno chunk"} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "PUT /%s0/r/artifacts/a HTTP/1.1\r\nHost: x\r\n%s", path, head); err != nil {
			t.Fatal(err)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			if err := tcp.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("got %v, %v; want 400", resp, err)
		} else if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if status, _ := ask(t, "GET", url+"0/r/artifacts/a", nil); status != 404 {
		t.Errorf("got %d, want 404", status)
	}
	for i := range blobs.List(t.Context()) {
		t.Errorf("a blob was left: %+v", i)
	}
	if n, _, err := blobs.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("%d parts were left, %v", n, err)
	}
}

func TestFilesUploadedAtOnceAreEachWhole(t *testing.T) {
	url, _ := server(t, 0)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 300_000+i)
			if status, body := ask(t, "PUT", url+"0/r/artifacts/same", strings.NewReader(text)); status != 200 {
				t.Errorf("got %d %s", status, body)
			}
			status, got := ask(t, "GET", url+"0/r/artifacts/same", nil)
			if status != 200 || len(got) < 300_000 || len(got) != 300_000+int(got[0]-'a') || strings.Trim(got, got[:1]) != "" {
				t.Errorf("got %d and %d bytes, want one of the files, whole", status, len(got))
			}
		})
	}
	all.Wait()
}

func TestARunWithoutRoomSaysSo(t *testing.T) {
	url, _ := server(t, 1000)
	if status, body := ask(t, "PUT", url+"0/r/artifacts/a", strings.NewReader(strings.Repeat("x", 1000))); status != 200 {
		t.Errorf("got %d %s", status, body)
	}
	status, body := ask(t, "PUT", url+"0/r/artifacts/b", strings.NewReader("x"))
	if want := "The files of r would take more than its quota of 1kB; delete some of them, or have whoever runs the server raise --artifact-quota"; status != 413 || !strings.Contains(body, want) {
		t.Errorf("got %d %s, want 413: %s", status, body, want)
	}
}

// connection is a writer whose read deadline can be seen.
type connection struct {
	http.ResponseWriter
	until time.Time
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.until = t
	return nil
}

func TestAnUploadMayTakeForeverButMayNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connection{}
		body := &patient{r: io.MultiReader(strings.NewReader("a"), strings.NewReader("b"), strings.NewReader("c")), control: http.NewResponseController(c)}
		began := time.Now()
		for _, e := range []struct {
			after time.Duration
			want  time.Duration // of the deadline, from the beginning
		}{{0, stalled}, {30 * time.Second, stalled}, {31 * time.Second, 61*time.Second + stalled}} {
			time.Sleep(e.after)
			if n, err := body.Read(make([]byte, 10)); n != 1 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			if got := c.until.Sub(began); got != e.want {
				t.Errorf("it may be silent until %v, want %v", got, e.want)
			}
		}
		if _, err := body.Read(make([]byte, 10)); !errors.Is(err, io.EOF) || !c.until.IsZero() {
			t.Errorf("at the end: got %v, until %v; want no deadline for what is done with it", err, c.until)
		}
	})
}

func TestAFileOfAVersionIsReadByItsNumber(t *testing.T) {
	c := withRun(t)
	c.put("model/MLmodel", "flavors: {}")
	if w := c.ask("POST registered-models/create", `{"name":"R"}`); w.Code != 200 {
		t.Fatal(w.Body)
	}
	if w := c.ask("POST model-versions/create", `{"name":"R","source":"runs:/$1/model","run_id":"$1"}`); w.Code != 200 {
		t.Fatal(w.Body)
	}
	const get = "GET /model-versions/get-artifact?"
	if w := c.ask(get+"name=R&version=1&path=MLmodel", ""); w.Code != 200 || w.Body.String() != "flavors: {}" || w.Header().Get("Content-Disposition") != "attachment; filename=MLmodel" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	c.talk([]exchange{
		{"out of it", get + "name=R&version=1&path=../x", "", 400, "Invalid path"},
		{"of no such version", get + "name=R&version=2&path=MLmodel", "", 404, "Model Version (name=R, version=2) not found"},
		{"of no number", get + "name=R&version=x&path=MLmodel", "", 400, "Parameter 'version' must be an integer, got 'x'."},
	})
}

func TestFilesThatLieElsewhereAreNotReadHere(t *testing.T) {
	c := newClient(t, func(o *Options) { o.Tracker.Locations = []string{"s3://team/"} })
	w := c.ask("POST experiments/create", `{"name":"e","artifact_location":"s3://team/e"}`)
	id := readJSON(t, w.Body.String()).(map[string]any)["experiment_id"].(string)
	if w := c.ask("POST runs/create", `{"experiment_id":"`+id+`"}`); w.Code != 200 {
		t.Fatal(w.Body)
	}
	c.talk([]exchange{
		{"its list is empty", "GET artifacts/list?run_id=$1", "", 200, `{"root_uri":"s3://team/e/$1/artifacts"}`},
		{"its files are not here", "GET /get-artifact?run_id=$1&path=a", "", 404, "No such artifact: 'a'"},
	})
}
