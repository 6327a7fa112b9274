// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"flyball/blob/artifact"
	"flyball/fault"
)

// upload streams the body into a file. There is no bound but the quota.
func (f *face) upload(w http.ResponseWriter, r *http.Request) {
	if err := f.receive(w, r, r.PathValue("path"), r.Body); err != nil {
		f.refuse(w, r, err)
	}
}

// uploadByPage is the upload of the web page, whose files are small.
func (f *face) uploadByPage(w http.ResponseWriter, r *http.Request) {
	root, name, err := f.named(r, f.ofRun, "path")
	if err == nil {
		err = f.receive(w, r, below(root, name), http.MaxBytesReader(w, r.Body, mostByPage))
	}
	if err != nil {
		f.refuse(w, r, err)
	}
}

func (f *face) receive(w http.ResponseWriter, r *http.Request, path string, from io.Reader) error {
	in := &patient{r: from, control: http.NewResponseController(w)}
	_, err := f.Artifacts.Put(r.Context(), path, in)
	if in.broken != nil && errors.Is(err, in.broken) {
		return bodyFault(err)
	}
	return err
}

// stalled is how long an upload may send nothing at all.
const stalled = 2 * time.Minute

// patient reads a body that may take hours, as long as something comes. It remembers
// how the body broke off.
type patient struct {
	r       io.Reader
	control *http.ResponseController
	until   time.Time
	broken  error
}

func (p *patient) Read(b []byte) (int, error) {
	if now := time.Now(); now.After(p.until.Add(-stalled / 2)) {
		p.until = now.Add(stalled)
		_ = p.control.SetReadDeadline(p.until) // a recorder in a test has none
	}
	n, err := p.r.Read(b)
	if err != nil {
		_ = p.control.SetReadDeadline(time.Time{})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		p.broken = err
	}
	return n, err
}

// download sends a file, or the ranges of it that are asked for.
func (f *face) download(w http.ResponseWriter, r *http.Request) {
	f.send(w, r, r.PathValue("path"))
}

// downloadOf sends a file of what the query names; arg is its path there.
func (f *face) downloadOf(of func(context.Context, *args) (string, error), arg string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		root, name, err := f.named(r, of, arg)
		if err != nil {
			f.refuse(w, r, err)
			return
		}
		f.send(w, r, below(root, name))
	}
}

// named reads which file the query of a request names, and below what. Each is checked
// by itself: one may not lead out of the other.
func (f *face) named(r *http.Request, of func(context.Context, *args) (string, error), arg string) (root, name string, err error) {
	in := &args{request: &request{http: r}, fields: map[string]any{}}
	if err := in.query(r.URL.RawQuery); err != nil {
		return "", "", err
	}
	location, err := of(r.Context(), in)
	if err != nil {
		return "", "", err
	}
	name = in.need(arg)
	if err := in.err(); err != nil {
		return "", "", err
	}
	if name, err = artifact.Clean(name); err != nil {
		return "", "", err
	}
	root, kept := strings.CutPrefix(location, artifactScheme)
	if !kept {
		return "", "", fault.New(fault.NotFound, "No such artifact: '%s'", name)
	}
	return root, name, nil
}

func (f *face) send(w http.ResponseWriter, r *http.Request, path string) {
	e, file, err := f.Artifacts.Open(r.Context(), path)
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	defer func() {
		if err := file.Close(); err != nil {
			f.Logger.WarnContext(r.Context(), "a file could not be closed", "error", err)
		}
	}()
	describe(w.Header(), e)
	http.ServeContent(w, r, "", time.UnixMilli(e.At), file)
}

// describe says what a file is, so that no browser takes it for anything else and no
// cache mixes it up with another.
func describe(h http.Header, e artifact.Entry) {
	name := path.Base(e.Path)
	h.Set("Content-Type", typeOf(name))
	h.Set("Content-Disposition", attachment(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("ETag", `"`+string(e.Digest)+`"`)
	if sum, err := hex.DecodeString(string(e.Digest)); err == nil {
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":") // RFC 9530
	}
}

// types are the types of files that are not taken for bytes. What MLflow calls text is
// text; nothing is asked of the machine, whose list may differ.
var types = map[string]string{
	"gif": "image/gif", "jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml", "webp": "image/webp",
	"gz": "application/gzip", "htm": "text/html", "html": "text/html", "pdf": "application/pdf", "zip": "application/zip",
	"parquet": "application/vnd.apache.parquet", "geojson": "application/geo+json",
}

const textTypes = " cf cfg cnf conf csv err hocon ini js json log md MLmodel MLproject prop properties py py3 rst toml tsv txt xml yaml yml "

func typeOf(name string) string {
	extension := strings.TrimPrefix(path.Ext(name), ".")
	if extension == "" || strings.Contains(textTypes, " "+extension+" ") {
		return "text/plain"
	}
	if t := types[strings.ToLower(extension)]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// attachment is a Content-Disposition that has a browser keep a file under its name
// (RFC 6266): where the name is more than ASCII, in its nearest ASCII and whole.
func attachment(name string) string {
	var ascii strings.Builder
	for _, r := range norm.NFKD.String(name) {
		if r >= ' ' && r < 0x7f {
			ascii.WriteRune(r)
		}
	}
	plain := ascii.String()
	out := "attachment; filename=" + quoted(plain)
	if plain != name {
		out += "; filename*=UTF-8''" + percent(name)
	}
	return out
}

// mark says whether c needs no quotes (RFC 9110, token).
func mark(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func quoted(s string) string {
	plain := s != ""
	for i := range len(s) {
		plain = plain && mark(s[i])
	}
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// percent writes s in the characters that RFC 8187 leaves plain.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; mark(c) && c != '%' && c != '\'' && c != '*' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String()
}

// Straight refuses what net/http would answer with the way to another path: a client
// that asks for a path with .. or an empty segment in it asks for nothing that is here.
func Straight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Serves(r.URL.Path) {
			p := r.URL.EscapedPath()
			if strings.Contains(p+"/", "/../") || strings.Contains(p+"/", "/./") || strings.Contains(p, "//") {
				writeProblem(w, problemOf(fault.New(fault.Invalid, "Invalid path")))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
