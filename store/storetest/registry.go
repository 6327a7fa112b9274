// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/store"
)

// register registers a model and n versions of it.
func register(t *testing.T, db *store.DB, model string, n int) {
	t.Helper()
	check(t, db.CreateModel(t.Context(), registry.Model{Name: model, CreatedAt: noon, UpdatedAt: noon}))
	for range n {
		must(db.RegisterVersion(t.Context(), registry.Version{Ref: ident.Ref{Model: model}, Source: "s3://b/m", CreatedAt: noon, UpdatedAt: noon}))(t)
	}
}

// apply puts a model under Flyball's care.
func apply(t *testing.T, db *store.DB, model string) {
	t.Helper()
	m := registry.Model{Name: model, File: "kind: Model\n", AppliedAt: noon.Add(time.Minute), AppliedBy: "ana"}
	_, _, err := db.ApplyModel(t.Context(), m, record("apply", model), happening(model, "applied"))
	check(t, err)
}

func says(t *testing.T, err error, kind fault.Kind, want string) {
	t.Helper()
	if !fault.Is(err, kind) || err.Error() != want {
		t.Errorf("got %v, want a fault that is %s and says %s", err, kind, want)
	}
}

func registered(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	m := registry.Model{
		Name: "Größe of it", About: "what\nit is", CreatedAt: noon, UpdatedAt: noon,
		Tags: []registry.Tag{{Key: "b", Value: `"1"`}, {Key: "a", Value: "é"}},
	}
	check(t, db.CreateModel(ctx, m))
	says(t, db.CreateModel(ctx, m), fault.Conflict, "Registered Model (name=Größe of it) already exists.")
	m.Tags = []registry.Tag{{Key: "a", Value: "é"}, {Key: "b", Value: `"1"`}}
	equal(t, "the model", must(db.Listing(ctx, m.Name))(t), registry.Listing{Model: m})
	equal(t, "models with a file", must(db.Models(ctx))(t), []registry.Model(nil))
	_, err := db.Listing(ctx, "nobody")
	says(t, err, fault.NotFound, "Registered Model with name=nobody not found")

	check(t, db.SetModelTag(ctx, m.Name, registry.Tag{Key: "a", Value: "2"}))
	check(t, db.SetModelTag(ctx, m.Name, registry.Tag{Key: "c", Value: ""}))
	check(t, db.DeleteModelTag(ctx, m.Name, "b"))
	check(t, db.DeleteModelTag(ctx, m.Name, "b"))
	check(t, db.DescribeModel(ctx, m.Name, "more", noon.Add(time.Second)))
	m.Tags, m.About, m.UpdatedAt = []registry.Tag{{Key: "a", Value: "2"}, {Key: "c"}}, "more", noon.Add(time.Second)
	equal(t, "the model that was changed", must(db.Listing(ctx, m.Name))(t), registry.Listing{Model: m})
	for _, err := range []error{
		db.SetModelTag(ctx, "nobody", registry.Tag{Key: "a"}), db.DeleteModelTag(ctx, "nobody", "a"),
		db.DescribeModel(ctx, "nobody", "x", noon), db.DeleteModel(ctx, "nobody", "ana", noon),
	} {
		says(t, err, fault.NotFound, "Registered Model with name=nobody not found")
	}

	must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: m.Name}, Tags: []registry.Tag{{Key: "k"}}, CreatedAt: noon}))(t)
	check(t, db.MoveAlias(ctx, m.Name, "best", 1, "ana", noon))
	check(t, db.DeleteModel(ctx, m.Name, "bo", noon.Add(time.Hour)))
	_, err = db.Listing(ctx, m.Name)
	wants(t, err, fault.NotFound)
	for _, table := range []string{"models", "model_tags", "versions", "version_tags", "aliases"} {
		empty(t, raw, table)
	}
	equal(t, "what is left", must(db.AliasHistory(ctx, m.Name))(t), []registry.Move{
		{Model: m.Name, Alias: "best", At: noon.Add(time.Hour), By: "bo", From: 1},
		{Model: m.Name, Alias: "best", At: noon, By: "ana", To: 1},
	})
	equal(t, "audit", actions(t, db), []string{"ana alias Größe of it", "bo delete Größe of it"})
	register(t, db, m.Name, 1)
	equal(t, "the first version of the next model of that name", must(db.NewestVersion(ctx, m.Name))(t).Version, 1)
}

func empty(t *testing.T, raw *sql.DB, table string) {
	t.Helper()
	var n int
	check(t, raw.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&n))
	if n != 0 {
		t.Errorf("%s: got %d rows, want none", table, n)
	}
}

// actions are who did what to what, of all audit records; the chain must hold.
func actions(t *testing.T, db *store.DB) []string {
	t.Helper()
	must(db.VerifyAudit(t.Context()))(t)
	var out []string
	for _, r := range must(db.Audit(t.Context(), 0, 1000))(t) {
		out = append(out, r.Actor+" "+r.Action+" "+r.Object)
	}
	return out
}

func adopted(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	register(t, db, "hotel", 2)
	check(t, db.SetModelTag(ctx, "hotel", registry.Tag{Key: "team", Value: "x"}))
	for _, alias := range []string{"champion", "live", "baseline"} {
		check(t, db.MoveAlias(ctx, "hotel", alias, 2, "ana", noon))
	}
	equal(t, "a baseline that a client set", must(db.Alias(ctx, "hotel", "baseline"))(t), ident.Ref{Model: "hotel", Version: 2})
	equal(t, "the same", must(db.VersionByAlias(ctx, "hotel", "baseline"))(t).Aliases, []string{"baseline", "champion", "live"})
	equal(t, "before", must(db.Model(ctx, "hotel"))(t), registry.Model{Name: "hotel", CreatedAt: noon, UpdatedAt: noon})
	apply(t, db, "hotel")
	l := must(db.Listing(ctx, "hotel"))(t)
	equal(t, "aliases", l.Aliases, []registry.Alias{{Name: "champion", Version: 2}, {Name: "live", Version: 2}})
	equal(t, "tags", l.Tags, []registry.Tag{{Key: "team", Value: "x"}})
	if !l.Cared() || l.Generation != 1 || !l.CreatedAt.Equal(noon) || !l.UpdatedAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("got %+v", l.Model)
	}
	equal(t, "the next version", must(db.AddVersion(ctx, version("hotel", "k")))(t).Version, 3)
	equal(t, "the last move", must(db.AliasHistory(ctx, "hotel"))(t)[0],
		registry.Move{Model: "hotel", Alias: "baseline", At: noon.Add(time.Minute), By: "ana", From: 2})
	s := state("hotel/3/1", 1, "pending")
	s.Model = "hotel"
	check(t, db.SaveRelease(ctx, 0, s, map[string]int{"baseline": 2}, nil))
	_, err := db.VersionByAlias(ctx, "hotel", "baseline")
	wants(t, err, fault.NotFound)
	equal(t, "the aliases at version 2", must(db.Version(ctx, ident.Ref{Model: "hotel", Version: 2}))(t).Aliases, []string{"champion", "live"})
	equal(t, "the aliases of the model", len(must(db.Listing(ctx, "hotel"))(t).Aliases), 2)
}

func renamed(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	register(t, db, "old", 2)
	register(t, db, "other", 1)
	check(t, db.SetModelTag(ctx, "old", registry.Tag{Key: "t", Value: "1"}))
	check(t, db.SetVersionTag(ctx, ident.Ref{Model: "old", Version: 2}, registry.Tag{Key: "v", Value: "2"}))
	check(t, db.MoveAlias(ctx, "old", "best", 2, "ana", noon))
	says(t, db.RenameModel(ctx, "old", "other", "ana", noon), fault.Conflict, "Registered Model (name=other) already exists.")
	says(t, db.RenameModel(ctx, "old", "old", "ana", noon), fault.Conflict, "Registered Model (name=old) already exists.")
	says(t, db.RenameModel(ctx, "nobody", "x", "ana", noon), fault.NotFound, "Registered Model with name=nobody not found")
	later := noon.Add(time.Hour)
	check(t, db.RenameModel(ctx, "old", "new", "ana", later))
	_, err := db.Listing(ctx, "old")
	wants(t, err, fault.NotFound)
	newest := registry.Version{
		Ref: ident.Ref{Model: "new", Version: 2}, Source: "s3://b/m", Stage: registry.None, CreatedAt: noon, UpdatedAt: later,
		Tags: []registry.Tag{{Key: "v", Value: "2"}},
	}
	equal(t, "the listing", must(db.Listing(ctx, "new"))(t), registry.Listing{
		Model:   registry.Model{Name: "new", Tags: []registry.Tag{{Key: "t", Value: "1"}}, CreatedAt: noon, UpdatedAt: later},
		Aliases: []registry.Alias{{Name: "best", Version: 2}}, Latest: []registry.Version{newest},
	})
	equal(t, "the history", must(db.AliasHistory(ctx, "new"))(t), []registry.Move{{Model: "new", Alias: "best", At: noon, By: "ana", To: 2}})
	equal(t, "the next number", must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "new"}, CreatedAt: noon}))(t).Version, 3)
	register(t, db, "old", 1)
	equal(t, "the first version under the name that is free", must(db.NewestVersion(ctx, "old"))(t).Version, 1)
	check(t, db.RenameModel(ctx, "other", "bare", "ana", later))
}

func registeredVersions(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	_, err := db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon})
	says(t, err, fault.NotFound, "Registered Model with name=hotel not found")
	register(t, db, "hotel", 0)
	_, err = db.NewestVersion(ctx, "hotel")
	wants(t, err, fault.NotFound)
	v := registry.Version{
		Ref: ident.Ref{Model: "hotel"}, Source: "models:/m-1", Location: "mlflow-artifacts:/0/models/m-1/artifacts", RunID: "r1", ModelID: "m-1",
		RunLink: "http://x", About: "first", Tags: []registry.Tag{{Key: "k", Value: "v"}}, CreatedAt: noon, CreatedBy: "ana",
	}
	one := must(db.RegisterVersion(ctx, v))(t)
	v.Version, v.Stage, v.UpdatedAt = 1, registry.None, noon
	equal(t, "what is kept", one, v)
	equal(t, "what is read", must(db.Version(ctx, one.Ref))(t), v)
	two := must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon.Add(time.Hour)}))(t)
	check(t, db.MoveAlias(ctx, "hotel", "best", 2, "ana", noon))
	check(t, db.DeleteVersion(ctx, two.Ref, "bo", noon.Add(2*time.Hour)))
	says(t, db.DeleteVersion(ctx, two.Ref, "bo", noon), fault.NotFound, "Model Version (name=hotel, version=2) not found")
	_, err = db.VersionByAlias(ctx, "hotel", "best")
	wants(t, err, fault.NotFound)
	equal(t, "after a deletion", must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon}))(t).Version, 3)
	equal(t, "the newest", must(db.NewestVersion(ctx, "hotel"))(t).Version, 3)
	equal(t, "audit", actions(t, db), []string{"ana alias hotel", "bo alias hotel", "bo delete hotel@2"})

	check(t, db.SetVersionTag(ctx, one.Ref, registry.Tag{Key: "a", Value: "1"}))
	check(t, db.DeleteVersionTag(ctx, one.Ref, "k"))
	check(t, db.DeleteVersionTag(ctx, one.Ref, "k"))
	check(t, db.DescribeVersion(ctx, one.Ref, "better", noon.Add(time.Minute)))
	v.Tags, v.About, v.UpdatedAt = []registry.Tag{{Key: "a", Value: "1"}}, "better", noon.Add(time.Minute)
	equal(t, "what was changed", must(db.Version(ctx, one.Ref))(t), v)
	gone := ident.Ref{Model: "hotel", Version: 2}
	for _, err := range []error{
		db.SetVersionTag(ctx, gone, registry.Tag{Key: "a"}), db.DeleteVersionTag(ctx, gone, "a"),
		db.DescribeVersion(ctx, gone, "x", noon), db.SetStage(ctx, gone, registry.Staging, true, noon),
	} {
		says(t, err, fault.NotFound, "Model Version (name=hotel, version=2) not found")
	}
	check(t, db.CreateLoggedModel(ctx, experiment.LoggedModel{ID: "m-1", Name: "model", Status: experiment.ModelReady, Updated: 7}))
	for range 2 {
		must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, ModelID: "m-1", CreatedAt: noon}))(t)
	}
	logged := must(db.LoggedModel(ctx, "m-1", false))(t)
	equal(t, "what the logged model lists", logged.Tags, []experiment.Tag{{Key: "mlflow.modelVersions", Value: `[{"name": "hotel", "version": 4}, {"name": "hotel", "version": 5}]`}})
	equal(t, "when it changed", logged.Updated, int64(7))

	base := must(db.AddVersion(ctx, version(registry.BaselineOf("hotel"), "k")))(t)
	says(t, db.DeleteVersion(ctx, base.Ref, "bo", noon), fault.NotFound, "Model Version (name=hotel.baseline, version=1) not found")
}

// reports are left out where many versions are listed.
func reports(t *testing.T, open Open) {
	db, _ := open(t)
	apply(t, db, "hotel")
	want := must(db.AddVersion(t.Context(), version("hotel", "k")))(t)
	got, _, err := db.SearchVersions(t.Context(), registry.Query{Limit: 10})
	check(t, err)
	equal(t, "in full", got, []registry.Version{want})
	got, _, err = db.SearchVersions(t.Context(), registry.Query{Limit: 10, Brief: true})
	check(t, err)
	want.Report = nil
	equal(t, "in brief", got, []registry.Version{want})
}

func registeredAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	register(t, db, "hotel", 0)
	var mu sync.Mutex
	numbers := map[int]int{}
	atOnce(16, func(i int) {
		v := registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon}
		add := db.RegisterVersion
		if i%4 == 0 { // Flyball's own trainings count in the same row
			add = func(ctx context.Context, v registry.Version) (registry.Version, error) { return db.AddVersion(ctx, v) }
		}
		got, err := add(t.Context(), v)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		numbers[got.Version]++
	})
	for n := range 16 {
		if numbers[n+1] != 1 {
			t.Errorf("number %d was given %d times", n+1, numbers[n+1])
		}
	}
}

// Whoever comes too late finds nothing or a name that is taken; nothing breaks, and
// nothing is left of what was deleted.
func registryAtOnce(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	register(t, db, "hotel", 4)
	names := []string{"hotel", "inn"}
	atOnce(8, func(i int) {
		for n := range 6 {
			name := names[(i+n)%2]
			ref := ident.Ref{Model: name, Version: n + 1}
			var err error
			switch i % 8 {
			case 0, 1:
				_, err = db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: name}, CreatedAt: noon})
			case 2:
				err = db.RenameModel(ctx, name, names[(i+n+1)%2], "ana", noon)
			case 3:
				err = db.SetStage(ctx, ref, registry.Production, true, noon)
			case 4:
				err = db.MoveAlias(ctx, name, "best", n+1, "ana", noon)
			case 5:
				err = db.DeleteVersion(ctx, ref, "ana", noon)
			case 6:
				err = db.SetVersionTag(ctx, ref, registry.Tag{Key: "k", Value: name})
			case 7:
				if n == 4 {
					err = db.DeleteModel(ctx, name, "ana", noon)
				} else {
					err = db.SetModelTag(ctx, name, registry.Tag{Key: "k", Value: name})
				}
			}
			if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
				t.Errorf("%d: got %v", i, err)
			}
		}
	})
	for _, name := range names {
		if err := db.DeleteModel(ctx, name, "ana", noon); err != nil {
			wants(t, err, fault.NotFound)
		}
	}
	for _, table := range []string{"models", "model_tags", "versions", "version_tags", "aliases"} {
		empty(t, raw, table)
	}
	must(db.VerifyAudit(ctx))(t)
}

func stages(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	register(t, db, "hotel", 5)
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Minute) }
	check(t, db.SetStage(ctx, ident.Ref{Model: "hotel", Version: 1}, registry.Production, false, at(1)))
	check(t, db.SetStage(ctx, ident.Ref{Model: "hotel", Version: 2}, registry.Production, false, at(2)))
	check(t, db.SetStage(ctx, ident.Ref{Model: "hotel", Version: 3}, registry.Staging, true, at(3)))
	check(t, db.SetStage(ctx, ident.Ref{Model: "hotel", Version: 4}, registry.Production, true, at(4)))
	var got []string
	for _, v := range must(db.Versions(ctx, "hotel"))(t) {
		got = append(got, fmt.Sprintf("%d %s %s", v.Version, v.Stage, v.UpdatedAt.Sub(noon)))
	}
	equal(t, "stages", got, []string{"5 None 0s", "4 Production 4m0s", "3 Staging 3m0s", "2 Archived 4m0s", "1 Archived 4m0s"})
	l := must(db.Listing(ctx, "hotel"))(t)
	got = nil
	for _, v := range l.Latest {
		got = append(got, fmt.Sprintf("%d %s", v.Version, v.Stage))
	}
	equal(t, "the newest of each stage", got, []string{"2 Archived", "3 Staging", "4 Production", "5 None"})
	if !l.UpdatedAt.Equal(at(4)) {
		t.Errorf("the model changed at %v, want %v", l.UpdatedAt, at(4))
	}
}

func aliasHistory(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	register(t, db, "hotel", 2)
	move := func(alias string, to int, by string, minute int) error {
		return db.MoveAlias(ctx, "hotel", alias, to, by, noon.Add(time.Duration(minute)*time.Minute))
	}
	check(t, move("best", 1, "ana", 1))
	check(t, move("best", 1, "bo", 2)) // stays where it is
	check(t, move("best", 2, "bo", 3))
	check(t, move("best", 0, "cy", 4))
	check(t, move("best", 0, "cy", 5)) // points nowhere already
	says(t, move("best", 9, "cy", 6), fault.NotFound, "Model Version (name=hotel, version=9) not found")
	says(t, db.MoveAlias(ctx, "nobody", "best", 1, "cy", noon), fault.NotFound, "Registered Model with name=nobody not found")
	check(t, move("live", 2, "ana", 7)) // a model without a model file routes nothing
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Minute) }
	equal(t, "the history", must(db.AliasHistory(ctx, "hotel"))(t), []registry.Move{
		{Model: "hotel", Alias: "live", At: at(7), By: "ana", To: 2},
		{Model: "hotel", Alias: "best", At: at(4), By: "cy", From: 2},
		{Model: "hotel", Alias: "best", At: at(3), By: "bo", From: 1, To: 2},
		{Model: "hotel", Alias: "best", At: at(1), By: "ana", To: 1},
	})
	equal(t, "audit", actions(t, db), []string{"ana alias hotel", "bo alias hotel", "cy alias hotel", "ana alias hotel"})
	recs := must(db.Audit(ctx, 1, 1))(t)
	equal(t, "an audit record", string(recs[0].Data), `{"alias":"best","from":1,"to":2}`)
	if l := must(db.Listing(ctx, "hotel"))(t); !l.UpdatedAt.Equal(noon) {
		t.Errorf("the model changed at %v; an alias does not count as a change", l.UpdatedAt)
	}
}

func careful(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	apply(t, db, "hotel")
	for range 4 {
		must(db.AddVersion(ctx, version("hotel", "")))(t)
	}
	s := state("hotel/3/1", 1, "canary")
	s.Model, s.Live, s.Candidate = "hotel", 2, 3
	check(t, db.SaveRelease(ctx, 0, s, map[string]int{"live": 2, "candidate": 3, "previous": 1}, nil))
	for alias, want := range map[string]string{"live": "2", "candidate": "3", "previous": "1"} {
		err := db.MoveAlias(ctx, "hotel", alias, 4, "ana", noon)
		says(t, err, fault.Denied, "The alias '"+alias+"' of hotel decides which version answers, so only a release moves it: flyball promote hotel@4")
		wants(t, db.MoveAlias(ctx, "hotel", alias, 0, "ana", noon), fault.Denied)
		var n int
		_, err = fmt.Sscan(want, &n)
		check(t, err)
		err = db.DeleteVersion(ctx, ident.Ref{Model: "hotel", Version: n}, "ana", noon)
		says(t, err, fault.Refused, "hotel@"+want+" is "+alias+" of hotel: release another version first, see flyball releases hotel")
	}
	wants(t, db.MoveAlias(ctx, "hotel", "baseline", 4, "ana", noon), fault.Denied)
	wants(t, db.RenameModel(ctx, "hotel", "inn", "ana", noon), fault.Denied)
	wants(t, db.DeleteModel(ctx, "hotel", "ana", noon), fault.Denied)
	equal(t, "aliases", must(db.Aliases(ctx, "hotel"))(t), map[string]int{"live": 2, "candidate": 3, "previous": 1})
	check(t, db.MoveAlias(ctx, "hotel", "champion", 4, "ana", noon))
	check(t, db.DeleteVersion(ctx, ident.Ref{Model: "hotel", Version: 4}, "ana", noon))
	equal(t, "the next number", must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon}))(t).Version, 5)
}

func sources(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	for _, statement := range []string{
		`INSERT INTO runs (run_id, experiment, name, user_id, status, started, location, deleted) VALUES ('r1', 0, 'n', '', 1, 0, 'mlflow-artifacts:/0/r1/artifacts', 1)`,
		`INSERT INTO logged_models (model_id, experiment, name, type, source_run, status, status_message, location, created, updated, deleted)
			VALUES ('m-1', 0, 'n', '', 'r1', 2, '', 'mlflow-artifacts:/0/models/m-1/artifacts', 0, 0, 0)`,
		`INSERT INTO logged_models (model_id, experiment, name, type, source_run, status, status_message, location, created, updated, deleted)
			VALUES ('m-2', 0, 'n', '', '', 2, '', 'mlflow-artifacts:/0/models/m-2/artifacts', 0, 0, 1)`,
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		run   ident.RunID
		model ident.ModelID
		want  registry.Resource
		there bool
	}{
		{run: "r1", want: registry.Resource{Location: "mlflow-artifacts:/0/r1/artifacts"}, there: true},
		{run: "r2"},
		{},
		{model: "m-1", want: registry.Resource{Location: "mlflow-artifacts:/0/models/m-1/artifacts", SourceRun: "r1"}, there: true},
		{model: "m-2"},
	} {
		get := func() (registry.Resource, bool, error) { return db.RunRoot(ctx, c.run) }
		if c.model != "" {
			get = func() (registry.Resource, bool, error) { return db.ModelRoot(ctx, c.model) }
		}
		got, there, err := get()
		if err != nil || there != c.there || got != c.want {
			t.Errorf("%s%s: got %+v, %v, %v; want %+v, %v", c.run, c.model, got, there, err, c.want, c.there)
		}
	}
	for what, want := range map[[2]string]ident.ModelID{{"r1", "n"}: "m-1", {"r1", "x"}: "", {"r2", "n"}: ""} {
		equal(t, "the logged model of "+what[0]+" named "+what[1], must(db.LoggedByRun(ctx, ident.RunID(what[0]), what[1]))(t), want)
	}
}
