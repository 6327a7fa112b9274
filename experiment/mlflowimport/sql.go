// SPDX-License-Identifier: Apache-2.0

package mlflowimport

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"flyball/experiment"
	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/ident"
)

// database is MLflow's own database. Its schema is that of MLflow 1.30 and later; what
// an older one does not have is taken as empty.
type database struct {
	sql    *sql.DB
	has    map[string]bool // tables
	inputs string          // the column of inputs that holds a step, or 0
	opts   Options
}

func openSQLite(ctx context.Context, path string, o Options) (archive.Source, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "there is no database %s", path)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(10000)"}
	if !filepath.IsAbs(path) {
		u = url.URL{Scheme: "file", Opaque: filepath.ToSlash(path), RawQuery: u.RawQuery}
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be opened", path)
	}
	return newDatabase(ctx, db, `SELECT name FROM sqlite_master WHERE type = 'table'`, o)
}

func openPostgres(ctx context.Context, dsn string, o Options) (archive.Source, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the address of the PostgreSQL database cannot be read") // without the cause: it may hold a password
	}
	return newDatabase(ctx, stdlib.OpenDB(*config), `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`, o)
}

func newDatabase(ctx context.Context, db *sql.DB, tables string, o Options) (archive.Source, error) {
	d := &database{sql: db, has: map[string]bool{}, inputs: "0", opts: o}
	for name, err := range column(ctx, db, tables) {
		if err != nil {
			_ = db.Close() // the first error is the one to tell
			return nil, fault.Wrap(err, fault.Unavailable, "the database cannot be read")
		}
		d.has[name] = true
	}
	if !d.has["experiments"] || !d.has["latest_metrics"] {
		_ = db.Close() // nothing was written
		return nil, fault.New(fault.Invalid, "this is no database of an MLflow server: it has no tables experiments and latest_metrics").
			Do("run `mlflow db upgrade` with a current MLflow if the server is older than 1.0")
	}
	if d.has["logged_models"] { // the step came with them
		d.inputs = "step"
	}
	return d, nil
}

// column yields the texts of a query of one column.
func column(ctx context.Context, db *sql.DB, q string, args ...any) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for rs, err := range query(ctx, db, q, args...) {
			var s string
			if err == nil {
				err = rs.Scan(&s)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// query yields the rows of a query to scan.
func query(ctx context.Context, db *sql.DB, q string, args ...any) iter.Seq2[*sql.Rows, error] {
	return func(yield func(*sql.Rows, error) bool) {
		rs, err := db.QueryContext(ctx, q, args...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rs.Close()
		for rs.Next() {
			if !yield(rs, nil) {
				return
			}
		}
		if err := rs.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// Close closes the database.
func (d *database) Close() error { return d.sql.Close() }

// Count counts rows.
func (d *database) Count(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	living := map[string]string{"model_versions": ` WHERE current_stage <> 'Deleted_Internal'`}
	for kind, table := range map[string]string{
		"experiments": "experiments", "runs": "runs", "points": "metrics", "logged_models": "logged_models",
		"models": "registered_models", "versions": "model_versions", "aliases": "registered_model_aliases",
	} {
		if !d.has[table] {
			continue
		}
		var n int64
		if err := d.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table+living[table]).Scan(&n); err != nil { // a name from the list above
			return nil, d.problem(err)
		}
		out[kind] = n
	}
	return out, nil
}

func (d *database) problem(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the other server's database cannot be read")
}

// Records reads everything.
func (d *database) Records(ctx context.Context) iter.Seq2[archive.Record, error] {
	return func(yield func(archive.Record, error) bool) {
		for r, err := range records(ctx, d) {
			if !yield(r, d.problem(err)) {
				return
			}
		}
	}
}

func (d *database) experiments(ctx context.Context) ([]experiment.Experiment, error) {
	var out []experiment.Experiment
	for rs, err := range query(ctx, d.sql, `SELECT experiment_id, name, COALESCE(artifact_location, ''), lifecycle_stage,
		COALESCE(creation_time, 0), COALESCE(last_update_time, 0) FROM experiments ORDER BY experiment_id`) {
		if err != nil {
			return nil, err
		}
		var e experiment.Experiment
		var stage string
		if err := rs.Scan(&e.ID, &e.Name, &e.Location, &stage, &e.Created, &e.Updated); err != nil {
			return nil, err
		}
		e.Deleted = stage == "deleted"
		if ours(e.Location) {
			e.Location = "mlflow-artifacts:/" + e.ID.String()
		}
		out = append(out, e)
	}
	for i := range out {
		var err error
		if out[i].Tags, err = tags[experiment.Tag](ctx, d.sql, `SELECT key, COALESCE(value, '') FROM experiment_tags WHERE experiment_id = $1`, int64(out[i].ID)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func tags[T ~struct{ Key, Value string }](ctx context.Context, db *sql.DB, q string, args ...any) ([]T, error) {
	var out []T
	for rs, err := range query(ctx, db, q, args...) {
		if err != nil {
			return nil, err
		}
		var kv struct{ Key, Value string }
		if err := rs.Scan(&kv.Key, &kv.Value); err != nil {
			return nil, err
		}
		out = append(out, T(kv))
	}
	return out, nil
}

// pageRuns is how many runs are read at once.
const pageRuns = 200

// runs reads an experiment's runs by their ids, a page at a time.
func (d *database) runs(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error {
	for after := ""; ; {
		page, err := d.runsAfter(ctx, e.ID, after)
		if err != nil || len(page) == 0 {
			return err
		}
		points, err := d.fill(ctx, page)
		if err != nil {
			return err
		}
		for i, r := range page {
			if err := give(archive.FromRun(e.Name, r, points[i]).Split()...); err != nil {
				return err
			}
		}
		after = string(page[len(page)-1].ID)
	}
}

func (d *database) runsAfter(ctx context.Context, id ident.ExperimentID, after string) ([]experiment.Run, error) {
	var out []experiment.Run
	for rs, err := range query(ctx, d.sql, `SELECT run_uuid, COALESCE(name, ''), COALESCE(user_id, ''), status, COALESCE(start_time, 0),
		COALESCE(end_time, 0), lifecycle_stage, COALESCE(artifact_uri, '') FROM runs
		WHERE experiment_id = $1 AND run_uuid > $2 ORDER BY run_uuid LIMIT $3`, int64(id), after, pageRuns) {
		if err != nil {
			return nil, err
		}
		r := experiment.Run{Experiment: id}
		var status, stage string
		if err := rs.Scan(&r.ID, &r.Name, &r.User, &status, &r.Start, &r.End, &stage, &r.Location); err != nil {
			return nil, err
		}
		if r.Status, err = statusOf(status); err != nil {
			return nil, err
		}
		r.Deleted = stage == "deleted"
		if ours(r.Location) {
			r.Location = archive.RunLocation(id, r.ID)
		}
		out = append(out, r)
	}
	return out, nil
}

func statusOf(s string) (experiment.Status, error) {
	for i, name := range []string{"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"} {
		if s == name {
			return experiment.Status(i + 1), nil
		}
	}
	return 0, fmt.Errorf("%.20q is no status of a run", s)
}

// fill adds what belongs to the runs, and returns the points of each.
func (d *database) fill(ctx context.Context, page []experiment.Run) ([][]experiment.Metric, error) {
	at := make(map[string]int, len(page))
	ids := make([]any, len(page))
	for i, r := range page {
		at[string(r.ID)], ids[i] = i, string(r.ID)
	}
	in := list(len(ids))
	points := make([][]experiment.Metric, len(page))
	for rs, err := range query(ctx, d.sql, `SELECT run_uuid, key, value, timestamp, step, CAST(is_nan AS INTEGER) FROM metrics WHERE run_uuid IN `+in, ids...) {
		if err != nil {
			return nil, err
		}
		var run string
		var m experiment.Metric
		if err := scanPoint(rs, &run, &m); err != nil {
			return nil, err
		}
		points[at[run]] = append(points[at[run]], m)
	}
	err := d.pairs(ctx, `SELECT run_uuid, key, value FROM params WHERE run_uuid IN `+in, ids, func(run, key, value string) {
		page[at[run]].Params = append(page[at[run]].Params, experiment.Param{Key: key, Value: value})
	})
	if err != nil {
		return nil, err
	}
	err = d.pairs(ctx, `SELECT run_uuid, key, COALESCE(value, '') FROM tags WHERE run_uuid IN `+in, ids, func(run, key, value string) {
		page[at[run]].Tags = append(page[at[run]].Tags, experiment.Tag{Key: key, Value: value})
	})
	if err != nil {
		return nil, err
	}
	return points, d.links(ctx, page, at, in, ids)
}

func scanPoint(rs *sql.Rows, run *string, m *experiment.Metric) error {
	var nan int
	if err := rs.Scan(run, &m.Key, &m.Value, &m.Timestamp, &m.Step, &nan); err != nil {
		return err
	}
	if nan != 0 {
		m.Value = notANumber()
	}
	return nil
}

func (d *database) pairs(ctx context.Context, q string, args []any, add func(owner, key, value string)) error {
	for rs, err := range query(ctx, d.sql, q, args...) {
		if err != nil {
			return err
		}
		var owner, key, value string
		if err := rs.Scan(&owner, &key, &value); err != nil {
			return err
		}
		add(owner, key, value)
	}
	return nil
}

// list is ($1, $2 … $n).
func list(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(", $" + strconv.Itoa(i+1))
	}
	return "(" + strings.TrimPrefix(b.String(), ", ") + ")"
}

// links reads the datasets and the logged models of runs.
func (d *database) links(ctx context.Context, page []experiment.Run, at map[string]int, in string, ids []any) error {
	if !d.has["inputs"] || !d.has["datasets"] {
		return nil
	}
	kept := map[string]*experiment.Input{} // by the id of the link
	order := map[string]int{}
	for rs, err := range query(ctx, d.sql, `SELECT i.input_uuid, i.destination_id, s.name, s.digest, s.dataset_source_type, s.dataset_source,
		COALESCE(s.dataset_schema, ''), COALESCE(s.dataset_profile, '') FROM inputs i JOIN datasets s ON s.dataset_uuid = i.source_id
		WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN `+in, ids...) {
		if err != nil {
			return err
		}
		var link, run string
		v := &experiment.Input{}
		err := rs.Scan(&link, &run, &v.Dataset.Name, &v.Dataset.Digest, &v.Dataset.SourceType, &v.Dataset.Source, &v.Dataset.Schema, &v.Dataset.Profile)
		if err != nil {
			return err
		}
		kept[link], order[link] = v, at[run]
	}
	err := d.pairs(ctx, `SELECT t.input_uuid, t.name, t.value FROM input_tags t JOIN inputs i ON i.input_uuid = t.input_uuid
		WHERE i.destination_id IN `+in, ids, func(link, key, value string) {
		if v := kept[link]; v != nil {
			v.Tags = append(v.Tags, experiment.Tag{Key: key, Value: value})
		}
	})
	if err != nil {
		return err
	}
	for link, v := range kept {
		page[order[link]].Inputs = append(page[order[link]].Inputs, *v)
	}
	for rs, err := range query(ctx, d.sql, `SELECT source_type, source_id, destination_id, `+d.inputs+` FROM inputs
		WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id IN `+in, ids...) {
		if err != nil {
			return err
		}
		var kind, run, model string
		var step int64
		if err := rs.Scan(&kind, &run, &model, &step); err != nil {
			return err
		}
		r := &page[at[run]]
		if kind == "RUN_OUTPUT" {
			r.Outputs = append(r.Outputs, experiment.Output{ModelID: ident.ModelID(model), Step: step})
		} else {
			r.Models = append(r.Models, ident.ModelID(model))
		}
	}
	return nil
}
