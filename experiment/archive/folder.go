// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// FolderFormat is the number of the folder's format; docs/formats/export.md tells it.
const FolderFormat = 1

// manifest is export.json: what the folder holds. It is written last, so a folder
// without it is not whole.
type manifest struct {
	Format  int               `json:"format"`
	Records map[string]int64  `json:"records"` // by kind
	Files   map[string]string `json:"files"`   // path below the folder → SHA-256
}

// The tables of a folder. Rows lie in the order of their runs.
type (
	runRow struct {
		ID         string `parquet:"run_id"`
		Experiment string `parquet:"experiment,dict"`
		Name       string `parquet:"name"`
		User       string `parquet:"user,dict"`
		Status     int32  `parquet:"status"`
		Start      int64  `parquet:"start_ms"`
		End        int64  `parquet:"end_ms"` // 0: none
		Location   string `parquet:"location"`
		Deleted    bool   `parquet:"deleted"`
		Links      string `parquet:"links"` // JSON: inputs, models and outputs
	}
	pairRow struct {
		Run   string `parquet:"run_id"`
		Key   string `parquet:"key,dict"`
		Value string `parquet:"value"`
	}
	metricRow struct {
		Run   string  `parquet:"run_id"`
		Key   string  `parquet:"key,dict"`
		At    int64   `parquet:"at_ms"`
		Step  int64   `parquet:"step"`
		Value float64 `parquet:"value"`
	}
)

// links is what a run has besides its numbers and texts.
type links struct {
	Inputs  []Input             `json:"inputs,omitempty"`
	Models  []ident.ModelID     `json:"models,omitempty"`
	Outputs []experiment.Output `json:"outputs,omitempty"`
}

// Folder writes an export. It is not safe for use at once.
type Folder struct {
	root    *os.Root
	records map[string]int64
	files   map[string]string

	lines   map[string]*output // JSON lines by file
	runs    *table[runRow]
	params  *table[pairRow]
	tags    *table[pairRow]
	metrics *table[metricRow]
}

// output is a file that is hashed while it is written.
type output struct {
	file *os.File
	buf  *bufio.Writer
	sum  func() string
	name string
}

// table is a Parquet file that is being written.
type table[T any] struct {
	out *output
	w   *parquet.GenericWriter[T]
}

// NewFolder begins an export in a folder that is not there or is empty; another one is
// a Conflict fault, and is left as it is.
func NewFolder(dir string) (*Folder, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fault.New(fault.Conflict, "the folder %s is not empty", dir).Do("name another, or empty it")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be read", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be made", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be opened", dir)
	}
	f := &Folder{root: root, records: map[string]int64{}, files: map[string]string{}, lines: map[string]*output{}}
	if f.runs, err = newTable[runRow](f, "runs.parquet"); err == nil {
		f.params, err = newTable[pairRow](f, "params.parquet")
	}
	if err == nil {
		f.tags, err = newTable[pairRow](f, "tags.parquet")
	}
	if err == nil {
		f.metrics, err = newTable[metricRow](f, "metrics.parquet")
	}
	return f, err
}

func newTable[T any](f *Folder, name string) (*table[T], error) {
	out, err := f.create(name)
	if err != nil {
		return nil, err
	}
	return &table[T]{out: out, w: parquet.NewGenericWriter[T](out, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(200_000))}, nil
}

func (t *table[T]) add(rows ...T) error {
	_, err := t.w.Write(rows)
	return err
}

func (t *table[T]) close(f *Folder) error { return errors.Join(t.w.Close(), f.finish(t.out)) }

// Write is for the writers of formats on top of an output.
func (o *output) Write(p []byte) (int, error) { return o.buf.Write(p) }

func (f *Folder) create(name string) (*output, error) {
	if err := f.root.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder for %s cannot be made", name)
	}
	file, err := f.root.OpenFile(filepath.FromSlash(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
	}
	h := sha256.New()
	return &output{
		file: file, name: name, buf: bufio.NewWriterSize(io.MultiWriter(file, h), 1<<16),
		sum: func() string { return hex.EncodeToString(h.Sum(nil)) },
	}, nil
}

func (f *Folder) finish(o *output) error {
	err := errors.Join(o.buf.Flush(), o.file.Sync(), o.file.Close())
	f.files[o.name] = o.sum()
	return fault.Wrap(err, fault.Unavailable, "%s cannot be written", o.name)
}

// Add writes a record.
func (f *Folder) Add(r Record) error {
	f.records[r.Kind()]++
	var err error
	switch {
	case r.Run != nil:
		err = f.run(*r.Run)
	case r.Points != nil:
		err = f.points(r.Points.Run, r.Points.Metrics)
	case r.Experiment != nil:
		err = f.Line("experiments.jsonl", r)
	case r.LoggedModel != nil:
		err = f.Line("logged_models.jsonl", r)
	default:
		err = f.Line("registry.jsonl", r)
	}
	return fault.Wrap(err, fault.Unavailable, "the export cannot be written")
}

// Line writes a value as a line of JSON into the named file of the folder.
func (f *Folder) Line(name string, v any) error {
	o := f.lines[name]
	if o == nil {
		var err error
		if o, err = f.create(name); err != nil {
			return err
		}
		f.lines[name] = o
	}
	return json.NewEncoder(o).Encode(v)
}

func (f *Folder) run(r Run) error {
	more, err := json.Marshal(links{r.Inputs, r.Models, r.Outputs})
	if err != nil {
		return err
	}
	err = f.runs.add(runRow{
		ID: string(r.ID), Experiment: r.Experiment, Name: r.Name, User: r.User, Status: int32(r.Status), Start: r.Start, End: r.End,
		Location: r.Location, Deleted: r.Deleted, Links: string(more),
	})
	return errors.Join(err, f.pairs(f.params, r.ID, r.Params), f.pairs(f.tags, r.ID, r.Tags), f.points(r.ID, r.Metrics))
}

func (f *Folder) pairs(t *table[pairRow], id ident.RunID, ps []Pair) error {
	rows := make([]pairRow, len(ps))
	for i, p := range ps {
		rows[i] = pairRow{string(id), p.Key, p.Value}
	}
	return t.add(rows...)
}

func (f *Folder) points(id ident.RunID, ms []Metric) error {
	rows := make([]metricRow, len(ms))
	for i, m := range ms {
		rows[i] = metricRow{string(id), m.Key, m.At, m.Step, float64(m.Value)}
	}
	return f.metrics.add(rows...)
}

// File copies a file into the folder under a path with slashes, and returns its
// SHA-256. A path that leads out of the folder is refused.
func (f *Folder) File(name string, r io.Reader) (string, error) {
	o, err := f.create(name)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(o, r)
	err = errors.Join(err, f.finish(o))
	return f.files[name], err
}

// Blob keeps the bytes of r under their digest, once. Other bytes than those of the
// digest are an Unavailable fault.
func (f *Folder) Blob(digest string, r io.Reader) error {
	name := blobsFolder + digest
	if _, there := f.files[name]; there {
		return nil
	}
	sum, err := f.File(name, r)
	if err == nil && sum != digest {
		err = fault.New(fault.Unavailable, "the bytes of blob %s have changed on their way", digest).Do("export again into an empty folder")
	}
	return err
}

// HasBlob reports whether a blob was kept.
func (f *Folder) HasBlob(digest string) bool {
	_, there := f.files[blobsFolder+digest]
	return there
}

// Close ends the export: the folder is whole when it returns nil.
func (f *Folder) Close() error {
	err := errors.Join(f.runs.close(f), f.params.close(f), f.tags.close(f), f.metrics.close(f))
	for _, o := range f.lines {
		err = errors.Join(err, f.finish(o))
	}
	if err == nil {
		err = f.seal()
	}
	return errors.Join(err, f.root.Close())
}

func (f *Folder) seal() error {
	b, err := json.MarshalIndent(manifest{FolderFormat, f.records, f.files}, "", "  ")
	if err != nil {
		return err
	}
	o, err := f.create("export.json")
	if err != nil {
		return err
	}
	_, err = o.Write(append(b, '\n'))
	return errors.Join(err, f.finish(o))
}

// OwnerFolder is the folder of an export that holds the files of a run or logged
// model.
func OwnerFolder(owner Record) string {
	if owner.Run != nil {
		return "artifacts/runs/" + string(owner.Run.ID)
	}
	return "artifacts/models/" + string(owner.LoggedModel.ID)
}
