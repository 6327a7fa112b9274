// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/blob/blobtest"
	"flyball/bucket"
	"flyball/training/executor"
	"flyball/training/executor/cluster/clustertest"
)

// TestAJobIsNamedThoughTheBucketsAnswerWasLost has the connection to the bucket break when
// the name of a job was written, and before that is answered: what is sent again is told
// that somebody came first.
func TestAJobIsNamedThoughTheBucketsAnswerWasLost(t *testing.T) {
	blobtest.S3(t, "../../../.cache/bin/versitygw")
	to, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL_S3"))
	if err != nil {
		t.Fatal(err)
	}
	var lost atomic.Bool
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodPut && strings.Contains(r.Request.URL.Path, "/keys/") && lost.CompareAndSwap(false, true) {
				return errors.New("lost")
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(proxy.Close)
	t.Setenv("AWS_ENDPOINT_URL_S3", proxy.URL)
	m := newMachine(t)
	s := story{T: t, Server: clustertest.New(t, "machine", m), engine: m, dir: t.TempDir()}
	s.Beat = 100 * time.Millisecond
	if s.Bucket, err = bucket.Open(t.Context(), "s3://lake", "work"); err != nil {
		t.Fatal(err)
	}
	e := s.Open(t)
	h := s.submit(e, `echo x > "$OUT/x"`)
	if got := s.wait(e, h); got.State != executor.Succeeded || !lost.Load() {
		t.Errorf("got %+v", got)
	}
	if again := s.submit(e, `echo x > "$OUT/x"`); again != h {
		t.Errorf("it is another job by now: %s and %s", h, again)
	}
}
