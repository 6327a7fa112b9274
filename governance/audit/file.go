// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/json"
	"time"

	"flyball/fault"
)

// What happens to a sealed file of predictions, as the chain tells it.
const (
	Sealed    = "seal"   // it was written
	Trimmed   = "trim"   // it was removed, for its age or to make room
	Forgotten = "forget" // what it held of one caller's key was taken out of it
)

// File is a sealed file of predictions, as the chain tells of it. Path is below the
// folder of predictions, with slashes; a file is its bytes, so its SHA-256 is all.
type File struct {
	// Server is whose folder it lies in, where several servers share one database and so one
	// chain; empty: there is one.
	Server string `json:"server,omitempty"`
	Path   string `json:"file"`
	Date   string `json:"date"`             // of the event times in it, as 2016-05-03
	Rows   int64  `json:"rows"`             // it has, or had where it is gone
	Bytes  int64  `json:"bytes"`            // the same
	SHA256 string `json:"sha256,omitempty"` // in hex; empty: the file is gone
	Was    string `json:"was,omitempty"`    // its SHA-256 before; empty: there was no such file
}

// News is what happened to a sealed file, before it is a record.
type News struct {
	At     time.Time
	Action string // Sealed, Trimmed or Forgotten
	Model  string
	Actor  string // empty: flyball
	Why    string
	File
}

// Record is the record that tells it.
func (n News) Record() (Record, error) {
	data, err := json.Marshal(n.File)
	if n.Actor == "" {
		n.Actor = "flyball"
	}
	return Record{At: n.At, Actor: n.Actor, Action: n.Action, Object: n.Model, Why: n.Why, Data: data}, err
}

// Known decides what is to be recorded of n where the chain says that the file's SHA-256
// is have (empty: it knows no such file): n with what the file was, or false where the
// chain tells it already. A file that the chain knows with other bytes, or that had
// others (Was) when it went, is a Conflict fault: nothing that Flyball does makes one.
func (n News) Known(have string) (News, bool, error) {
	was := n.Was
	n.Was = have
	switch {
	case have == n.SHA256:
		return n, false, nil
	case have == "", was == have, n.Action == Trimmed && was == "":
		return n, true, nil
	}
	return n, false, fault.New(fault.Conflict, "the audit chain knows %s with other bytes", n.Path).Do("see flyball audit verify")
}

// Key names a file among those of all servers.
func (f File) Key() string {
	if f.Server == "" {
		return f.Path
	}
	return f.Server + ":" + f.Path
}

// Files are the sealed files of a server that a chain says there are, by their paths.
type Files map[string]File

// Follow takes in the next record, for a server. One that tells of no file, or of another
// server's, changes nothing.
func (f Files) Follow(r Record, server string) error {
	if r.Action != Sealed && r.Action != Trimmed && r.Action != Forgotten {
		return nil
	}
	var x File
	if err := json.Unmarshal(r.Data, &x); err != nil || x.Path == "" {
		return nil //nolint:nilerr // a record of the same name that tells of something else
	}
	if x.Server != "" && x.Server != server {
		return nil
	}
	if x.SHA256 == "" {
		delete(f, x.Path)
	} else {
		f[x.Path] = x
	}
	return nil
}
