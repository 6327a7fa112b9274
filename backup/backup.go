// SPDX-License-Identifier: Apache-2.0

// Package backup is the format of a backup (docs/formats/backup.md): one tar file, or
// the folder that it unpacks to, with the records of a database as lines of JSON, the
// bytes that they refer to, and the predictions. It knows no engine, so that what was
// written from SQLite is read into PostgreSQL and the other way round. It writes a stream
// and reads one, both in bounded memory. It opens no database and restores nothing:
// package store keeps rows, and app puts the parts in their places.
package backup

import (
	"encoding/json"
	"io"
	"time"

	"flyball/blob"
	"flyball/fault"
)

// Format is the version of the format that this package writes, and the newest it reads.
const Format = 1

// The kinds of values that a column has.
const (
	Int   = "int"   // a whole number of 64 bits
	Real  = "real"  // a number of float64, in the shortest digits that give it back
	Text  = "text"  // UTF-8
	Bytes = "bytes" // in base64
)

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Table is a table of the database, and how many rows of it are here.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Key     []string `json:"key"`              // its rows come in the order of these columns
	Serial  string   `json:"serial,omitempty"` // the column that the database numbers by itself; empty: none
	Last    int64    `json:"last,omitempty"`   // the number that it gave last
	Rows    int64    `json:"rows"`
}

// Part is a file of the backup that is not named by its digest.
type Part struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Count is how many there are, and their bytes.
type Count struct {
	Number int   `json:"number"`
	Bytes  int64 `json:"bytes"`
}

// Blobs are the bytes that the records refer to, each in a part named by its digest.
type Blobs struct {
	Count
	Missing []blob.Digest `json:"missing,omitempty"` // files that the records name and that were not there
	Damaged []blob.Digest `json:"damaged,omitempty"` // whose bytes were not those of the digest
}

// Origin is where a backup comes from.
type Origin struct {
	Version string    `json:"version"` // of the Flyball that wrote it
	MadeAt  time.Time `json:"made_at"`
	Engine  string    `json:"engine"` // sqlite or postgres
	Schema  int64     `json:"schema"` // of the records
	Audit   End       `json:"audit"`  // where the audit chain ends
}

// End is the last record of the audit chain.
type End struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Manifest says what a backup has. It is its last part but one; the last is its digest.
type Manifest struct {
	Format int `json:"format"`
	Origin
	Tables []Table `json:"tables"`
	Blobs  Blobs   `json:"blobs"`
	Sealed Count   `json:"sealed"` // files of predictions
	Parts  []Part  `json:"parts"`
}

// Rows is how many rows of all tables there are.
func (m *Manifest) Rows() (n int64) {
	for i := range m.Tables {
		n += m.Tables[i].Rows
	}
	return n
}

// The names of parts, and how those of many begin.
const (
	readme      = "README"
	manifest    = "manifest.json"
	manifestSum = "manifest.sha256"
	Records     = "records/"     // records/TABLE/00001.jsonl.zst
	BlobsDir    = "blobs/"       // blobs/DIGEST
	Predictions = "predictions/" // as in the data folder
	Folder      = "folder/"      // small files of the data folder
)

// maxManifest bounds the manifest: a part of it takes some 150 bytes.
const maxManifest = 256 << 20

func readManifest(r io.Reader) (Manifest, error) {
	var m Manifest
	if err := json.NewDecoder(io.LimitReader(r, maxManifest)).Decode(&m); err != nil {
		return m, fault.Wrap(err, fault.Invalid, "the manifest of the backup cannot be read")
	}
	if m.Format < 1 || m.Format > Format {
		return m, fault.New(fault.Refused, "the backup has format %d, and this Flyball reads up to %d", m.Format, Format).
			Do("restore it with Flyball %s, which wrote it", m.Version)
	}
	return m, nil
}

const about = `This is a backup of Flyball, an MLOps system.

manifest.json    what is here: versions, tables with their columns and rows, the SHA-256 of each part
records/         every table of the database, as lines of JSON arrays (zstd -dc), in the order of its key
blobs/           bytes that records refer to, each named by its SHA-256
predictions/     the log of predictions: an SQLite file, and Parquet files by model and date
folder/          small files of the server's data folder; some are secret

flyball restore FILE --check       rehearses a restore, and changes nothing
flyball restore FILE --data DIR    restores; with FLYBALL_DATABASE, into PostgreSQL
`
