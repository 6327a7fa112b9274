// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// nameTag is the tag that is the run's name.
const nameTag = "mlflow.runName"

// target is a run to which something is logged.
type target struct {
	seq, experiment int64
	id              ident.RunID
}

// slot is where a run keeps one param, tag or latest metric.
type slot struct{ run, key int64 }

func bySlot(a, b slot) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.key, b.key)) }

// label is a param or tag as it is kept.
type label struct {
	experiment int64
	value      string
}

// sheet gathers what one transaction logs, to any number of runs, and writes it in as
// few statements as can be.
type sheet struct {
	ids    map[string]int64 // of the keys named
	points []point
	latest map[slot]point
	params map[slot]label
	tags   map[slot]label
	names  map[int64]string // runs that are renamed
	linked []any            // rows of logged_model_metrics
	had    map[slot]string  // params that runs had before
}

func newSheet() *sheet {
	return &sheet{
		ids: map[string]int64{}, latest: map[slot]point{}, params: map[slot]label{},
		tags: map[slot]label{}, names: map[int64]string{}, had: map[slot]string{},
	}
}

// name notes the keys of a batch, so that all are numbered at once.
func (s *sheet) name(b experiment.Batch) {
	for _, m := range b.Metrics {
		s.ids[clean(m.Key)] = 0
	}
	for _, p := range b.Params {
		s.ids[clean(p.Key)] = 0
	}
	for _, t := range b.Tags {
		s.ids[clean(t.Key)] = 0
	}
}

// add puts a batch on the sheet whole, or nothing of it and returns the conflict.
func (s *sheet) add(to target, b experiment.Batch, single bool) error {
	if err := s.conflict(to, b.Params, single); err != nil {
		return err
	}
	for _, p := range b.Params {
		at := slot{to.seq, s.ids[clean(p.Key)]}
		if _, there := s.had[at]; !there {
			s.params[at] = label{to.experiment, clean(p.Value)}
		}
	}
	for _, t := range b.Tags {
		key, value := clean(t.Key), clean(t.Value)
		s.tags[slot{to.seq, s.ids[key]}] = label{to.experiment, value}
		if key == nameTag {
			s.names[to.seq] = value
		}
	}
	for _, m := range b.Metrics {
		s.metric(to, m)
	}
	return nil
}

func (s *sheet) metric(to target, m experiment.Metric) {
	p := pointOf(to, s.ids[clean(m.Key)], m)
	s.points = append(s.points, p)
	at := slot{p.run, p.key}
	if last, ok := s.latest[at]; !ok || later(p, last) > 0 {
		s.latest[at] = p
	}
	if m.ModelID != "" {
		m.RunID = to.id
		s.link(p.key, m)
	}
}

// link puts a point of a logged model on the sheet.
func (s *sheet) link(key int64, m experiment.Metric) {
	nan, v := value(m.Value)
	s.linked = append(s.linked, string(m.ModelID), key, m.Timestamp, m.Step, string(m.RunID), nan, v, clean(m.DatasetName), clean(m.DatasetDigest))
}

// conflict says which params have another value already: in the run, earlier on this
// sheet, or earlier in the batch.
func (s *sheet) conflict(to target, params []experiment.Param, single bool) error {
	type change struct{ key, from, to string }
	var changes []change
	fresh := map[string]string{}
	for _, p := range params {
		key, value := clean(p.Key), clean(p.Value)
		at := slot{to.seq, s.ids[key]}
		have, there := s.had[at]
		if l, ok := s.params[at]; ok {
			have, there = l.value, true
		}
		if v, ok := fresh[key]; ok && !there {
			have, there = v, true
		}
		if there && have != value {
			changes = append(changes, change{key, have, value})
		}
		fresh[key] = value
	}
	if len(changes) == 0 {
		return nil
	}
	if c := changes[0]; single {
		return fault.New(fault.Invalid, "Changing param values is not allowed. Param with key='%s' was already logged with value='%s' for run ID='%s'. Attempted logging new value '%s'.",
			c.key, c.from, to.id, c.to)
	}
	var list []string
	for _, c := range changes {
		list = append(list, "{'key': "+quoted(c.key)+", 'old_value': "+quoted(c.from)+", 'new_value': "+quoted(c.to)+"}")
	}
	return fault.New(fault.Invalid, "Changing param values is not allowed. Params were already logged='[%s]' for run ID='%s'.", strings.Join(list, ", "), to.id)
}

// quoted is a text as Python shows it, near enough for a message.
func quoted(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	return quote + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, quote, `\`+quote).Replace(s) + quote
}

// write writes the sheet, each table in the order in which it lies: that is fast, and
// two transactions never wait for each other in a circle.
func (t *tx) write(ctx context.Context, s *sheet) error {
	slices.SortFunc(s.points, before)
	values := make([]any, 0, 7*max(len(s.points), len(s.latest)))
	for _, p := range s.points {
		values = append(values, p.run, p.key, p.at, p.step, p.nan, p.value)
	}
	if err := t.insert(ctx, t.insertions.points, values); err != nil {
		return err
	}
	values = values[:0]
	for _, at := range slices.SortedFunc(maps.Keys(s.latest), bySlot) {
		p := s.latest[at]
		values = append(values, p.run, p.key, p.experiment, p.at, p.step, p.nan, p.value)
	}
	if err := t.insert(ctx, t.insertions.latest, values); err != nil {
		return err
	}
	if err := t.insert(ctx, t.insertions.params, labelRows(s.params)); err != nil {
		return err
	}
	if err := t.insert(ctx, t.insertions.tags, labelRows(s.tags)); err != nil {
		return err
	}
	for run, name := range s.names {
		if _, err := t.exec(ctx, `UPDATE runs SET name = $2 WHERE seq = $1`, run, name); err != nil {
			return err
		}
	}
	return t.insert(ctx, t.insertions.linked, s.linked)
}

func labelRows(labels map[slot]label) []any {
	values := make([]any, 0, 5*len(labels))
	for _, at := range slices.SortedFunc(maps.Keys(labels), bySlot) {
		l := labels[at]
		values = append(values, at.run, at.key, l.experiment, head(l.value), l.value)
	}
	return values
}

// head is the first 64 characters of a text.
func head(s string) string {
	n := 0
	for i := range s {
		if n == 64 {
			return s[:i]
		}
		n++
	}
	return s
}

// log logs a group; of one that is wrong nothing is written, and it is told why.
func (t *tx) log(ctx context.Context, group []*logging) error {
	s := newSheet()
	ids := map[string]target{}
	for _, l := range group {
		ids[string(l.batch.Run)] = target{}
		s.name(l.batch)
	}
	deleted, err := t.targets(ctx, ids)
	if err != nil {
		return err
	}
	if err := t.number(ctx, s.ids); err != nil {
		return err
	}
	if err := t.had(ctx, s, group, ids); err != nil {
		return err
	}
	for _, l := range group {
		to := ids[string(l.batch.Run)]
		switch {
		case to.seq == 0:
			l.refused = noRun(l.batch.Run)
		case deleted[to.seq]:
			l.refused = deletedRun(l.batch.Run)
		default:
			l.refused = s.add(to, l.batch, l.single)
		}
	}
	return t.write(ctx, s)
}

// targets finds the runs that are the keys of ids and keeps their rows for this
// transaction; a run that is not there stays zero.
func (t *tx) targets(ctx context.Context, ids map[string]target) (deleted map[int64]bool, err error) {
	deleted = map[int64]bool{}
	scan := func(row scanner) error {
		var to target
		var gone bool
		err := row.Scan(&to.seq, &to.experiment, &to.id, flag{&gone})
		ids[string(to.id)] = to
		if gone {
			deleted[to.seq] = true
		}
		return err
	}
	const columns = `SELECT seq, experiment, run_id, deleted FROM runs `
	if len(ids) == 1 {
		for id := range ids {
			return deleted, t.each(ctx, scan, columns+`WHERE run_id = $1 {lock}`, id)
		}
	}
	list := slices.Sorted(maps.Keys(ids))
	return deleted, t.each(ctx, scan, columns+`WHERE run_id IN (SELECT value FROM {texts}) ORDER BY seq {lock}`, set(list))
}

// had reads what the runs have of the params that are logged.
func (t *tx) had(ctx context.Context, s *sheet, group []*logging, ids map[string]target) error {
	runs, keys := map[int64]bool{}, map[int64]bool{}
	for _, l := range group {
		if to := ids[string(l.batch.Run)]; to.seq != 0 {
			for _, p := range l.batch.Params {
				runs[to.seq], keys[s.ids[clean(p.Key)]] = true, true
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return t.each(ctx, func(row scanner) error {
		var at slot
		var value string
		err := row.Scan(&at.run, &at.key, &value)
		s.had[at] = value
		return err
	}, `SELECT run, key, value FROM params WHERE run {among} AND key {among2}`, set(slices.Sorted(maps.Keys(runs))), set(slices.Sorted(maps.Keys(keys))))
}

func noRun(id ident.RunID) error { return fault.New(fault.NotFound, "Run with id=%s not found", id) }

func deletedRun(id ident.RunID) error {
	return fault.New(fault.Invalid, "The run %s must be in the 'active' state. Current state is deleted.", id)
}
