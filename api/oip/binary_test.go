// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
)

// le is values as little-endian bytes.
func le(t testing.TB, values ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, v := range values {
		if s, ok := v.(string); ok { // BYTES
			_ = binary.Write(&b, binary.LittleEndian, uint32(len(s)))
			b.WriteString(s)
			continue
		}
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// heads is the JSON of binary inputs, which are name, datatype and size.
func heads(rest string, inputs ...[3]any) string {
	var parts []string
	for _, i := range inputs {
		parts = append(parts, fmt.Sprintf(`{"name":"%s","datatype":"%s","shape":[2],"parameters":{"binary_data_size":%d}}`, i[0], i[1], i[2]))
	}
	return `{"inputs":[` + strings.Join(parts, ",") + `]` + rest + `}`
}

func TestBinaryTensorsOfEveryTypeAreRead(t *testing.T) {
	h := web(made(t))
	for _, c := range []struct {
		datatype string
		data     []byte
		want     string
	}{
		{"FP64", le(t, 1.5, math.NaN()), "[1.5,0.5]"},
		{"FP32", le(t, float32(0.1), float32(math.NaN())), "[0.10000000149011612,0.5]"},
		{"FP16", le(t, uint16(0x3c00), uint16(0xc100)), "[1,-2.5]"},
		{"FP16", le(t, uint16(0x0001), uint16(0x7e00)), "[5.960464477539063e-08,0.5]"},
		{"BF16", le(t, uint16(0x3f80), uint16(0xc020)), "[1,-2.5]"},
		{"INT8", le(t, int8(-3), int8(3)), "[-3,3]"},
		{"INT16", le(t, int16(-3), int16(3)), "[-3,3]"},
		{"INT32", le(t, int32(-3), int32(3)), "[-3,3]"},
		{"INT64", le(t, int64(-3), int64(3)), "[-3,3]"},
		{"UINT8", le(t, uint8(200), uint8(3)), "[200,3]"},
		{"UINT16", le(t, uint16(60000), uint16(3)), "[60000,3]"},
		{"UINT32", le(t, uint32(4e9), uint32(3)), "[4e+09,3]"},
		{"UINT64", le(t, uint64(4e9), uint64(3)), "[4e+09,3]"},
		{"BOOL", le(t, true, false), "[1,0]"},
	} {
		head := heads("", [3]any{"a", c.datatype, len(c.data)}, [3]any{"b", "FP64", 16})
		w := send(t, h, "POST", "/v2/models/pair/infer", append(append([]byte(head), c.data...), le(t, 0.0, 0.0)...), headerLength, strconv.Itoa(len(head)))
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"data":`+c.want+`}`) {
			t.Errorf("%s: got %d %s, want %s", c.datatype, w.Code, w.Body, c.want)
		}
	}
}

func TestBinaryOutputsFollowTheJSON(t *testing.T) {
	h := web(made(t))
	head := heads(`,"outputs":[{"name":"value","parameters":{"binary_data":true}},{"name":"decision","parameters":{"binary_data":true}},{"name":"arm"}]`,
		[3]any{"a", "FP64", 16}, [3]any{"word", "BYTES", 10}, [3]any{"when", "BYTES", 28}, [3]any{"key", "UINT16", 4})
	body := append([]byte(head), le(t, 1.0, 100.0, "x", "", "")...)
	body = body[:len(body)-4]
	body = append(body, 'y') // the second word is y
	body[len(body)-5] = 1
	body = append(body, le(t, "2012-01-01", "2012-01-02", uint16(7), uint16(8))...)
	w := send(t, h, "POST", "/v2/models/mixed/infer", body, headerLength, strconv.Itoa(len(head)))
	n, err := strconv.Atoi(w.Header().Get(headerLength))
	if w.Code != 200 || err != nil || w.Header().Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	want := `{"model_name":"mixed","model_version":"3","parameters":{"arm":"live","generation":7},"outputs":[` +
		`{"name":"value","datatype":"FP64","shape":[2],"parameters":{"binary_data_size":16}},` +
		`{"name":"decision","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":13}},` +
		`{"name":"arm","datatype":"BYTES","shape":[2],"data":["live","live"]}]}`
	if got := w.Body.String()[:n]; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := w.Body.Bytes()[n:], le(t, 11.0, 110.0, "no", "yes"); !bytes.Equal(got, want) {
		t.Errorf("got % x\nwant % x", got, want)
	}
}

func TestAWrongBinaryRequestIsRefused(t *testing.T) {
	h := web(made(t))
	b := [3]any{"b", "FP64", 16}
	ok := heads("", [3]any{"a", "FP64", 16}, b)
	for _, c := range []struct {
		name, head string
		tail       []byte
		length     string
		want       string
	}{
		{"no header", ok, make([]byte, 32), "", "and 0 are left in the body; send the header Inference-Header-Content-Length"},
		{"a header that is no number", ok, make([]byte, 32), "x", `is \"x\", no length`},
		{"a header beyond the body", ok, nil, "9999", "and the body has"},
		{"too few bytes", ok, make([]byte, 31), "-", `input \"b\": its binary data has 16 bytes, and 15 are left in the body`},
		{"too many bytes", ok, make([]byte, 33), "-", "1 bytes follow the tensors"},
		{"another size than the shape", heads("", [3]any{"a", "FP32", 16}, b), make([]byte, 32), "-", `input \"a\": its data has 16 bytes; 2 elements of FP32 are 8`},
		{"a truth of two", heads("", [3]any{"a", "BOOL", 2}, b), append([]byte{0, 2}, make([]byte, 16)...), "-", `input \"a\", row 1: the byte 2 is no BOOL`},
		{"data twice", `{"inputs":[{"name":"a","datatype":"FP64","shape":[1],"data":[1],"parameters":{"binary_data_size":8}}]}`, make([]byte, 8), "-", "send one of the two"},
	} {
		var headers []string
		switch c.length {
		case "":
		case "-":
			headers = []string{headerLength, strconv.Itoa(len(c.head))}
		default:
			headers = []string{headerLength, c.length}
		}
		w := send(t, h, "POST", "/v2/models/pair/infer", append([]byte(c.head), c.tail...), headers...)
		if w.Code != 400 || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: got %d %s\nwant %s", c.name, w.Code, w.Body, c.want)
		}
	}
	for _, c := range []struct {
		name, want string
		words      []byte
	}{
		{"a length beyond the data", `input \"word\", row 1: an element of 9 bytes goes beyond its data`, []byte("\x01\x00\x00\x00x\x09\x00\x00\x00y")},
		{"no UTF-8", `input \"word\", row 0: the element is not UTF-8`, []byte("\x01\x00\x00\x00\xff\x01\x00\x00\x00y")},
		{"bytes behind", `input \"word\": 1 bytes follow its 2 elements`, []byte("\x01\x00\x00\x00x\x00\x00\x00\x00y")},
	} {
		head := heads("", [3]any{"a", "FP64", 16}, [3]any{"word", "BYTES", len(c.words)}, [3]any{"when", "BYTES", 8}, [3]any{"key", "INT8", 2})
		body := append(append(append([]byte(head), make([]byte, 16)...), c.words...), make([]byte, 10)...)
		w := send(t, h, "POST", "/v2/models/mixed/infer", body, headerLength, strconv.Itoa(len(head)))
		if w.Code != 400 || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: got %d %s\nwant %s", c.name, w.Code, w.Body, c.want)
		}
	}
}

func TestARawRequestIsTheOnlyInput(t *testing.T) {
	h := web(made(t))
	w := send(t, h, "POST", "/v2/models/classes/infer", le(t, 2.0), headerLength, "0")
	n, _ := strconv.Atoi(w.Header().Get(headerLength))
	if got, want := w.Body.Bytes()[n:], le(t, 2.0, 3.0, "dög"); w.Code != 200 || !bytes.Equal(got, want) {
		t.Errorf("got %d %q, want %q", w.Code, got, want)
	}
	for model, want := range map[string]string{"pair": "the model has 2 inputs", "classes": "holds nothing"} {
		if w := send(t, h, "POST", "/v2/models/"+model+"/infer", nil, headerLength, "0"); w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s", model, w.Code, w.Body)
		}
	}
}

func TestBodiesAreCompressedBothWays(t *testing.T) {
	h := web(made(t))
	const rows = 500
	head := strings.ReplaceAll(heads(`,"parameters":{"binary_data_output":true}`, [3]any{"a", "FP64", 8 * rows}, [3]any{"b", "FP64", 8 * rows}), "[2]", "["+strconv.Itoa(rows)+"]")
	body := append([]byte(head), make([]byte, 16*rows)...)
	for _, c := range []struct {
		encoding string
		to       func(w io.Writer) io.WriteCloser
		from     func(r io.Reader) (io.ReadCloser, error)
	}{
		{"gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
		{"deflate", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, zlib.NewReader},
	} {
		var packed bytes.Buffer
		z := c.to(&packed)
		_, _ = z.Write(body)
		_ = z.Close()
		w := send(t, h, "POST", "/v2/models/pair/infer", packed.Bytes(),
			headerLength, strconv.Itoa(len(head)), "Content-Encoding", c.encoding, "Accept-Encoding", c.encoding)
		if w.Code != 200 || w.Header().Get("Content-Encoding") != c.encoding {
			t.Fatalf("%s: got %d %v %s", c.encoding, w.Code, w.Header(), w.Body)
		}
		n, _ := strconv.Atoi(w.Header().Get(headerLength))
		r, err := c.from(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || len(got)-n != 8*rows {
			t.Errorf("%s: %d bytes after %d, %v", c.encoding, len(got)-n, n, err)
		}
	}
}

func TestABodyIsBoundedBeforeAndAfterItIsDecompressed(t *testing.T) {
	h := web(made(t))
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 8<<20))
	_ = z.Close()
	for _, c := range []struct {
		name    string
		body    []byte
		headers []string
		status  int
		want    string
	}{
		{"long", make([]byte, 1<<20+1), nil, 413, "the body is larger than 1048576 bytes"},
		{"long when decompressed", bomb.Bytes(), []string{"Content-Encoding", "gzip"}, 413, "the body is larger than 1048576 bytes"},
		{"broken", []byte("x"), []string{"Content-Encoding", "gzip"}, 400, "the body cannot be read"},
		{"brotli", []byte("x"), []string{"Content-Encoding", "br"}, 400, `the content encoding \"br\" is not read`},
	} {
		w := send(t, h, "POST", "/v2/models/pair/infer", c.body, c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: got %d %s", c.name, w.Code, w.Body)
		}
	}
}

func TestWhatACallerTakesIsRead(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "gzip": "gzip", "deflate, gzip": "gzip", "deflate": "deflate", "gzip;q=0, deflate": "deflate",
		"br": "", "GZIP ; q=0.5": "gzip", "identity": "", "gzip;q=x": "",
	} {
		if got := accepted(header); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}
