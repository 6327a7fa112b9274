// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"io"
	"regexp"

	"flyball/blob"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/registry"
)

// Arrived is a version that came in an archive, and was checked.
type Arrived struct {
	Version registry.Version // as it was where it comes from
	Floor   blob.Digest      // the bundle of the baseline that it had to beat; empty: the archive has none
	Missing []blob.Digest    // data that was left out of the archive and is not here
}

// one is a whole digest.
var one = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Arrive keeps the blobs of an archive that WriteTar wrote, and checks that its version is
// what it says: the record names its bundles, and each bundle is of its model and scores
// its golden rows as it did. Data may be missing. It registers nothing. What is wrong is
// an Invalid fault, a bundle that scores otherwise here a Refused one.
func Arrive(ctx context.Context, r io.Reader, blobs blob.Store, decoders model.Decoders) (Arrived, error) {
	head, err := unpack(ctx, r, blobs)
	if err != nil {
		return Arrived{}, err
	}
	v := head.Version
	if err := ident.CheckModel(v.Model); err != nil {
		return Arrived{}, err
	}
	if v.Version < 1 || v.Version > maxNumber {
		return Arrived{}, fault.New(fault.Invalid, "%s of the archive says that the version is number %d", tarHead, v.Version)
	}
	named := []blob.Digest{v.Bundle, v.Snapshot, v.Record}
	if v.Judged != "" { // a version from elsewhere was judged as it is
		named = append(named, v.Judged)
	}
	for _, d := range named {
		if !one.MatchString(string(d)) {
			return Arrived{}, fault.New(fault.Invalid, "%s of the archive names no bundle, snapshot and record, but %q", tarHead, d)
		}
	}
	out := Arrived{Version: v}
	if out.Floor, err = subjects(ctx, blobs, v); err != nil {
		return Arrived{}, err
	}
	for _, d := range []blob.Digest{v.Bundle, v.Judged, out.Floor} {
		if err := verify(ctx, blobs, decoders, v.Model, d); err != nil {
			return Arrived{}, err
		}
	}
	out.Missing, err = head.missing(ctx, blobs)
	return out, err
}

// maxNumber bounds the number of a version: those after it are counted on from there.
const maxNumber = 1 << 30

// subjects checks that the record is about the version's bundles, and returns that of the
// baseline; empty where the record or the archive has none.
func subjects(ctx context.Context, blobs blob.Store, v registry.Version) (floor blob.Digest, err error) {
	raw, err := readBlob(ctx, blobs, v.Record)
	if err != nil {
		return "", err
	}
	var s struct {
		Subject []resource `json:"subject"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", invalidRecord(err)
	}
	about := map[string]blob.Digest{}
	for _, r := range s.Subject {
		about[r.Name] = blob.Digest(r.Digest["sha256"])
	}
	if about["bundle.json"] != v.Bundle || about["judged/bundle.json"] != v.Judged {
		return "", fault.New(fault.Invalid, "record.json in the archive is not about the bundle of %s", v.Ref).Do("export the version again")
	}
	floor = about["baseline/bundle.json"]
	if !one.MatchString(string(floor)) {
		return "", nil
	}
	here, err := blobs.Keep(ctx, floor)
	if !here {
		return "", err
	}
	return floor, err
}

// verify opens a bundle of the model and replays its golden rows.
func verify(ctx context.Context, blobs blob.Store, decoders model.Decoders, name string, d blob.Digest) error {
	if d == "" {
		return nil
	}
	b, err := model.Open(ctx, blobs, decoders, d)
	if err != nil {
		return err
	}
	defer b.Close()
	if b.Manifest.Model != name {
		return fault.New(fault.Invalid, "the bundle %s in the archive is of the model %q, not of %s", d, b.Manifest.Model, name)
	}
	return b.Verify(ctx, blobs)
}
