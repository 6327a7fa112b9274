// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// series names the points of one key of one run in this database.
type series struct{ run, key int64 }

// series finds a key's points; false when the run or the key is unknown.
func (db *DB) series(ctx context.Context, id ident.RunID, key string) (s series, there bool, err error) {
	err = db.row(ctx, `SELECT r.seq, k.id FROM runs r, keys k WHERE r.run_id = $1 AND k.name = $2`, id, clean(key)).Scan(&s.run, &s.key)
	if none(err) {
		return s, false, nil
	}
	return s, err == nil, problem(err, "the metric cannot be read")
}

// History is a page of a metric's points; see experiment.Runs.
func (db *DB) History(ctx context.Context, id ident.RunID, key string, p experiment.Page) (points []experiment.Metric, next string, err error) {
	after := first()
	if p.Token != "" {
		if after, err = readPlace(p.Token); err != nil {
			return nil, "", err
		}
	}
	of, there, err := db.series(ctx, id, key)
	if !there {
		return nil, "", err
	}
	limit := min(max(p.Limit, 1), math.MaxInt32)
	found, err := db.points(ctx, of, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1].place()
	}
	return metrics(key, found), next, nil
}

// points are up to limit points of a series that come after one, in their order.
func (db *DB) points(ctx context.Context, of series, after point, limit int) ([]point, error) {
	return all(ctx, db, "the metric cannot be read", scanPoint, `SELECT at, step, nan, value FROM metrics
		WHERE run = $1 AND key = $2 AND (at, step, nan, value) > ($3, $4, $5, $6) ORDER BY at, step, nan, value LIMIT $7`,
		of.run, of.key, after.at, after.step, after.nan, after.value, limit)
}

func scanPoint(s scanner) (p point, err error) {
	err = s.Scan(&p.at, &p.step, &p.nan, &p.value)
	return p, err
}

func metrics(key string, points []point) []experiment.Metric {
	out := make([]experiment.Metric, len(points))
	for i, p := range points {
		out[i] = p.metric(key)
	}
	return out
}

func (p point) metric(key string) experiment.Metric {
	return experiment.Metric{Key: key, Value: number(p.nan != 0, p.value), Timestamp: p.at, Step: p.step}
}

// first is before every point.
func first() point {
	return point{at: math.MinInt64, step: math.MinInt64, nan: -1}
}

// place is where a point lies in its series, for a token.
func (p point) place() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d %x", p.at, p.step, p.nan, math.Float64bits(p.value)))
}

func readPlace(token string) (p point, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return p, fault.New(fault.Invalid, "Invalid page token, could not base64-decode")
	}
	var bits uint64
	n, err := fmt.Sscanf(string(raw), "%d %d %d %x", &p.at, &p.step, &p.nan, &bits)
	if p.value = math.Float64frombits(bits); err != nil || n != 4 || math.IsNaN(p.value) {
		return p, fault.New(fault.Invalid, "Invalid page token, parsed value=%.100q", raw)
	}
	return p, nil
}

// chunk is how many points are read at a time where all are wanted, so that a slow
// reader keeps no connection.
const chunk = 8192

// Points are all points of a metric; see experiment.Runs.
func (db *DB) Points(ctx context.Context, id ident.RunID, key string) iter.Seq2[experiment.Metric, error] {
	return func(yield func(experiment.Metric, error) bool) {
		of, there, err := db.series(ctx, id, key)
		if err != nil {
			yield(experiment.Metric{}, err)
		}
		if !there {
			return
		}
		for after := first(); ; {
			found, err := db.points(ctx, of, after, chunk)
			if err != nil {
				yield(experiment.Metric{}, err)
				return
			}
			for _, p := range found {
				if !yield(p.metric(key), nil) {
					return
				}
			}
			if len(found) < chunk {
				return
			}
			after = found[len(found)-1]
		}
	}
}

// Sample is a metric's points thinned out; see experiment.Runs. Its memory grows with
// n, not with the points.
func (db *DB) Sample(ctx context.Context, id ident.RunID, key string, steps *[2]int64, n int) ([]experiment.Metric, error) {
	if n <= 0 {
		return nil, nil
	}
	of, there, err := db.series(ctx, id, key)
	if !there {
		return nil, err
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if steps != nil {
		low, high = steps[0], steps[1]
	}
	var count int
	err = db.row(ctx, `SELECT COUNT(*) FROM metrics WHERE run = $1 AND key = $2 AND step BETWEEN $3 AND $4`, of.run, of.key, low, high).Scan(&count)
	if err != nil || count == 0 {
		return nil, problem(err, "the metric cannot be read")
	}
	wanted := firsts(count, n)
	if db.dialect.sorts {
		found, err := db.pickByStep(ctx, of, low, high, count, wanted)
		return metrics(key, found), problem(err, "the metric cannot be read")
	}
	found, err := db.pick(ctx, of, low, high, wanted)
	if errors.Is(err, errNotByStep) {
		found, err = db.pickByStep(ctx, of, low, high, count, wanted)
	}
	return metrics(key, found), problem(err, "the metric cannot be read")
}

// errNotByStep says that a series' time does not grow with its step.
var errNotByStep = errors.New("points are not in the order of steps")

// pick reads the points of a range of steps in the order in which they lie, and takes
// those at places. That is the order of steps almost always; if not: errNotByStep.
func (db *DB) pick(ctx context.Context, of series, low, high int64, places []int) ([]point, error) {
	picked := make([]point, 0, len(places))
	at, last := 0, int64(math.MinInt64)
	for p, err := range rows(ctx, db, scanPoint, `SELECT at, step, nan, value FROM metrics
		WHERE run = $1 AND key = $2 AND step BETWEEN $3 AND $4 ORDER BY at, step, nan, value`, of.run, of.key, low, high) {
		if err != nil {
			return nil, err
		}
		if p.step < last {
			return nil, errNotByStep
		}
		last = p.step
		if at == places[len(picked)] {
			if picked = append(picked, p); len(picked) == len(places) {
				break
			}
		}
		at++
	}
	return picked, nil
}

// pickByStep does the same where points must be sorted first. The engine counts the
// places itself, so that it hands out no more than are wanted: in each of the first
// larger buckets of whole+1, and then in each of whole, the first, and the very last.
func (db *DB) pickByStep(ctx context.Context, of series, low, high int64, count int, places []int) ([]point, error) {
	whole, larger := count/len(places), count%len(places)
	type placed struct {
		point
		place int
	}
	scan := func(s scanner) (p placed, err error) {
		err = s.Scan(&p.at, &p.step, &p.nan, &p.value, &p.place)
		return p, err
	}
	found, err := all(ctx, db, "the metric cannot be read", scan, `SELECT at, step, nan, value, place FROM (
			SELECT at, step, nan, value, ROW_NUMBER() OVER (ORDER BY step, at, nan, value) - 1 AS place FROM metrics
			WHERE run = $1 AND key = $2 AND step BETWEEN $3 AND $4) AS points
		WHERE place < $5 AND place % $6 = 0 OR place >= $5 AND (place - $5) % $7 = 0 OR place = $8
		ORDER BY step, at, nan, value`, of.run, of.key, low, high, larger*(whole+1), whole+1, whole, count-1)
	out := make([]point, 0, len(places))
	for _, p := range found {
		if _, wanted := slices.BinarySearch(places, p.place); wanted {
			out = append(out, p.point)
		}
	}
	return out, err
}

// firsts are the places, from 0, of the sample of a series of count points: the first
// of each of n buckets as SQL's NTILE makes them (the first count mod n one larger),
// but of the last bucket the last place. All places when n is count or more.
func firsts(count, n int) []int {
	n = min(n, count)
	whole, larger := count/n, count%n
	places := make([]int, n)
	for i := range places {
		places[i] = i*whole + min(i, larger)
	}
	places[n-1] = count - 1
	return places
}
