// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"slices"
	"testing"
	"time"

	"flyball/event"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// pipelines: a text is a version, and the models that use it move with it or not at all.
func pipelines(t *testing.T, open Open) {
	db, _ := open(t)
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	add := func(name, file string) (registry.Pipeline, bool) {
		t.Helper()
		p, added, err := db.AddPipeline(t.Context(), registry.Pipeline{Name: name, File: file, AppliedAt: at, AppliedBy: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		return p, added
	}
	for _, c := range []struct {
		name, file string
		version    int
		added      bool
	}{{"a", "one", 1, true}, {"a", "one", 1, false}, {"a", "two", 2, true}, {"a", "one", 3, true}, {"b", "one", 1, true}} {
		p, added := add(c.name, c.file)
		if p.Version != c.version || added != c.added || p.Digest != registry.PipelineDigest(c.file) || !p.AppliedAt.Equal(at) {
			t.Errorf("%s %q: got version %d, %v; want %d, %v", c.name, c.file, p.Version, added, c.version, c.added)
		}
	}
	one := func(model, text string) registry.Applied {
		return registry.Applied{
			Model:  registry.Model{Name: model, File: "name: " + model, Pipeline: text, AppliedAt: at, AppliedBy: "bo"},
			Record: audit.Record{At: at, Actor: "bo", Action: "apply", Object: model},
			Event:  event.Event{At: at, Model: model, Kind: "apply", Text: "applied"},
		}
	}
	next := registry.Pipeline{Name: "a", File: "three", AppliedAt: at, AppliedBy: "bo"}
	for i, want := range [][]string{{"m1", "m2"}, nil} {
		p, added, changed, err := db.ApplyPipeline(t.Context(), next, []registry.Applied{one("m1", "three"), one("m2", "three")})
		if err != nil || p.Version != 4 || added != (i == 0) || !slices.Equal(changed, want) {
			t.Errorf("time %d: got version %d, %v, %q, %v; want 4, %q", i+1, p.Version, added, changed, err, want)
		}
	}
	m, err := db.Model(t.Context(), "m2")
	if err != nil || m.Pipeline != "three" || m.Generation != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
	all, err := db.Pipelines(t.Context(), "a")
	if err != nil || len(all) != 4 || all[0].Version != 4 || all[3].File != "one" {
		t.Errorf("got %+v, %v", all, err)
	}
	if all, err = db.Pipelines(t.Context(), ""); err != nil || len(all) != 5 || all[4].Name != "b" {
		t.Errorf("got %+v, %v", all, err)
	}
}

// reproductions: each time that a version was made again is kept, once.
func reproductions(t *testing.T, open Open) {
	db, _ := open(t)
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	r := registry.Reproduction{Ref: ident.Ref{Model: "m", Version: 2}, ID: "j1", At: at, By: "dara", Grade: "R3", Report: []byte(`{"grade":"R3"}`)}
	ev := event.Event{At: at, Model: "m", Kind: "reproduced", Text: "v2 made again"}
	for range 2 {
		check(t, db.AddReproduction(t.Context(), r, ev))
	}
	later := r
	later.ID, later.At, later.Grade = "j2", at.Add(time.Hour), "R0"
	check(t, db.AddReproduction(t.Context(), later, ev))
	got := must(db.Reproductions(t.Context(), "m", 2))(t)
	equal(t, "the times, the newest first", got, []registry.Reproduction{later, r})
	equal(t, "those of another version", must(db.Reproductions(t.Context(), "m", 1))(t), []registry.Reproduction(nil))
}

// brought: a version that another server made is kept once, with its baseline.
func brought(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	v := registry.Version{Ref: ident.Ref{Model: "m", Version: 7}, Bundle: "b7", Record: "r7", Verdict: "pass", CreatedAt: noon, UpdatedAt: noon, Key: "archive"}
	floor := registry.Version{Bundle: "f7", CreatedAt: noon, Key: "archive"}
	var told []string
	tell := func(ref ident.Ref) (audit.Record, event.Event) {
		told = append(told, ref.String())
		return audit.Record{At: noon, Actor: "ana", Action: "import", Object: ref.String()}, event.Event{At: noon, Model: "m", Kind: "import", Text: ref.String()}
	}
	for i, want := range []bool{true, false} {
		kept, added, err := db.BringVersion(ctx, v, floor, tell)
		check(t, err)
		if added != want || kept.Ref != v.Ref || kept.Verdict != "pass" {
			t.Errorf("time %d: %+v, %v", i, kept, added)
		}
	}
	if m := must(db.Model(ctx, "m"))(t); m.Cared() {
		t.Errorf("the model: %+v", m)
	}
	other := v
	other.Bundle, other.Record, other.Key = "b8", "r8", "another archive"
	kept, added, err := db.BringVersion(ctx, other, registry.Version{}, tell)
	check(t, err)
	if !added || kept.Version != 8 {
		t.Errorf("another of that number: %+v, %v", kept, added)
	}
	equal(t, "the next of its own", must(db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: "m"}, CreatedAt: noon}))(t).Version, 9)
	older := v
	older.Version, older.Bundle, older.Key = 3, "b3", "an older archive"
	kept, _, err = db.BringVersion(ctx, older, floor, tell)
	check(t, err)
	equal(t, "a number that is free", kept.Version, 3)
	equal(t, "baselines, each once", len(must(db.Versions(ctx, registry.BaselineOf("m")))(t)), 1)
	equal(t, "told", told, []string{"m@7", "m@8", "m@3"})
	equal(t, "in the chain", len(must(db.Audit(ctx, 0, 100))(t)), 3)
}
