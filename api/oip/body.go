// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"flyball/fault"
)

// body is a request's bytes, decompressed. They may be used until free.
type body struct {
	bytes []byte
	buf   *bytes.Buffer
	pool  *sync.Pool
}

// most is the size up to which buffers are kept for the next request.
const most = 1 << 20

func (b *body) free() {
	if b.buf != nil && b.buf.Cap() <= most {
		b.pool.Put(b.buf)
	}
	b.buf, b.bytes = nil, nil
}

// buffer is an empty buffer, of an earlier request where there is one.
func (f *Face) buffer() *bytes.Buffer {
	if b, ok := f.buffers.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

// body reads a request's body. It grows as bytes come, and not beyond MaxBody, before
// and after it is decompressed: then it is a TooLarge fault.
func (f *Face) body(w http.ResponseWriter, r *http.Request) (body, error) {
	var in io.Reader = http.MaxBytesReader(w, r.Body, int64(f.MaxBody))
	if r.ContentLength > int64(f.MaxBody) {
		return body{}, f.tooLarge()
	}
	var err error
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		in, err = gzip.NewReader(in)
	case "deflate":
		in, err = zlib.NewReader(in)
	default:
		return body{}, fault.New(fault.Invalid, "the content encoding %q is not read", clip([]byte(encoding))).Do("send gzip, deflate or none")
	}
	b := body{buf: f.buffer(), pool: &f.buffers}
	if err == nil {
		_, err = b.buf.ReadFrom(io.LimitReader(in, int64(f.MaxBody)+1))
	}
	if err != nil {
		b.free()
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return body{}, f.tooLarge()
		}
		return body{}, fault.Wrap(err, fault.Invalid, "the body cannot be read")
	}
	if b.buf.Len() > f.MaxBody {
		b.free()
		return body{}, f.tooLarge()
	}
	b.bytes = b.buf.Bytes()
	return b, nil
}

func (f *Face) tooLarge() error {
	return fault.New(fault.TooLarge, "the body is larger than %d bytes", f.MaxBody).Do("send the rows in several requests")
}

// small is the size up to which an answer is not compressed: it would not get shorter.
const small = 1024

// write sends b, compressed where the caller takes that and it is worth it.
func (f *Face) write(w http.ResponseWriter, r *http.Request, b []byte) {
	encoding := ""
	if len(b) > small {
		encoding = accepted(r.Header.Get("Accept-Encoding"))
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if encoding == "" {
		h.Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b) // the caller may have gone
		return
	}
	out := f.buffer()
	defer (&body{buf: out, pool: &f.buffers}).free()
	if encoding == "gzip" {
		z, _ := gzip.NewWriterLevel(out, gzip.BestSpeed) // the level is one
		_, _ = z.Write(b)                                // into memory: nothing can fail
		_ = z.Close()
	} else {
		z, _ := zlib.NewWriterLevel(out, zlib.BestSpeed)
		_, _ = z.Write(b)
		_ = z.Close()
	}
	h.Set("Content-Encoding", encoding)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	_, _ = w.Write(out.Bytes())
}

// accepted is gzip, deflate or nothing, as the header takes it; gzip where it takes both.
func accepted(header string) string {
	found := ""
	for part := range strings.SplitSeq(header, ",") {
		coding, q, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		if n, ok := strings.CutPrefix(strings.ReplaceAll(q, " ", ""), "q="); ok {
			if v, err := strconv.ParseFloat(n, 64); err != nil || v == 0 {
				continue
			}
		}
		switch strings.TrimSpace(coding) {
		case "gzip":
			return "gzip"
		case "deflate":
			found = "deflate"
		}
	}
	return found
}
