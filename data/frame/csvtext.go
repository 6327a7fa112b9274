// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"

	"flyball/fault"
)

// maxWindow bounds the memory that a Zstandard file may ask for.
const maxWindow = 128 << 20

// The first bytes of files, whatever their names.
const (
	magicGzip    = "\x1f\x8b"
	magicZstd    = "\x28\xb5\x2f\xfd"
	magicZip     = "PK\x03\x04"
	magicZipVoid = "PK\x05\x06" // an archive of no files
	magicParquet = "PAR1"
	magicOffice  = "\xd0\xcf\x11\xe0" // workbooks before 2007
)

// text is a file's text in UTF-8 without a mark, out of what it is packed in.
type text struct {
	in      *bufio.Reader
	closers []func() error // in the order to call them
	decoded bool           // from another encoding, where a wrong byte became U+FFFD
}

func (t *text) Close() error {
	var errs []error
	for _, c := range t.closers {
		errs = append(errs, c())
	}
	t.closers = nil
	return errors.Join(errs...)
}

// openText opens src through what it is packed in and how it is written. The caller
// closes what comes back.
func openText(src Source, label string) (*text, error) {
	raw, err := src.Open()
	if err != nil {
		return nil, err
	}
	t := &text{in: bufio.NewReaderSize(raw, firstBlock), closers: []func() error{raw.Close}}
	if err := t.unpack(src); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if err := t.decode(src.Name, label); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// unpack goes through gzip, Zstandard or zip, where the file begins as these do.
func (t *text) unpack(src Source) error {
	head, err := t.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be read", src.Name)
	}
	begins := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case begins(magicGzip):
		z, err := gzip.NewReader(t.in)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "%s is not a gzip file", src.Name)
		}
		t.through(z, z.Close)
	case begins(magicZstd):
		z, err := zstd.NewReader(t.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "%s is not a Zstandard file", src.Name)
		}
		t.through(z, func() error { z.Close(); return nil })
	case begins(magicZip), begins(magicZipVoid):
		return t.unzip(src)
	case begins(magicParquet):
		return fault.New(fault.Invalid, "%s is a Parquet file", src.Name).Do("give it a name that ends in .parquet")
	case begins(magicOffice):
		return workbook(src.Name)
	case len(head) > 1 && strings.HasSuffix(src.Name, ".gz"):
		return fault.New(fault.Invalid, "%s is not a gzip file", src.Name)
	case len(head) > 1 && strings.HasSuffix(src.Name, ".zst"):
		return fault.New(fault.Invalid, "%s is not a Zstandard file", src.Name)
	case len(head) > 1 && strings.HasSuffix(src.Name, ".zip"):
		return fault.New(fault.Invalid, "%s is not a zip file", src.Name)
	}
	return nil
}

func workbook(name string) error {
	return fault.New(fault.Invalid, "%s is a workbook of a spreadsheet", name).Do("save it as CSV")
}

// through reads on through r, which is closed before what was there.
func (t *text) through(r io.Reader, closer func() error) {
	t.in = bufio.NewReaderSize(r, firstBlock)
	t.closers = slices.Insert(t.closers, 0, closer)
}

// unzip opens the one CSV file in an archive, whose directory stands at its end.
func (t *text) unzip(src Source) error {
	if err := t.Close(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be read", src.Name)
	}
	in, size, closer, err := src.at()
	if err != nil {
		return err
	}
	t.closers = append(t.closers, closer.Close)
	z, err := zip.NewReader(in, size)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s is not a zip file", src.Name)
	}
	var found []*zip.File
	for _, f := range z.File {
		name := strings.ToLower(f.Name)
		if name == "[content_types].xml" {
			return workbook(src.Name)
		}
		if !strings.HasPrefix(f.Name, "__MACOSX/") && (strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".tsv")) {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return fault.New(fault.Invalid, "%s holds %d CSV files; it must hold one", src.Name, len(found))
	}
	file, err := found[0].Open()
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s cannot be unpacked", src.Name)
	}
	t.through(file, file.Close)
	return nil
}

// decode reads on in UTF-8. The mark at the start of a file says more than a label.
func (t *text) decode(name, label string) error {
	head, err := t.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return unreadable(name, err)
	}
	from := encoding.Encoding(nil)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, err := t.in.Discard(3) // the bytes are there
		return err
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		from = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		from = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	default:
		if from, err = encodingOf(label); err != nil {
			return err
		}
	}
	if from != nil {
		t.in = bufio.NewReaderSize(from.NewDecoder().Reader(t.in), firstBlock)
		t.decoded = true
	}
	return nil
}

// encodingOf is the encoding that a label means; nil is UTF-8.
func encodingOf(label string) (encoding.Encoding, error) {
	if label == "" {
		return nil, nil
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%q is not an encoding", clip(label)).Do("write utf-8, utf-16, windows-1252, iso-8859-1 or another label of https://encoding.spec.whatwg.org")
	}
	if canonical, _ := htmlindex.Name(e); canonical == "utf-8" {
		return nil, nil
	}
	return e, nil
}

// unreadable says why a file gives no more bytes: what holds it failed, or it is damaged.
func unreadable(name string, err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "%s is cut off: its packed end is missing", name).Do("copy the file again")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat),
		errors.Is(err, zstd.ErrCRCMismatch), errors.Is(err, zstd.ErrReservedBlockType), errors.Is(err, zstd.ErrWindowSizeExceeded),
		errors.Is(err, zstd.ErrMagicMismatch), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fault.Wrap(err, fault.Invalid, "%s is damaged", name)
	case fault.KindOf(err) != fault.Internal:
		return err
	}
	return fault.Wrap(err, fault.Invalid, "%s cannot be read", name)
}
