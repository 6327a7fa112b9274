// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"time"

	"flyball/fault"
	"flyball/monitoring"
	"flyball/serving/prediction"
)

// mostGroupRows bounds the rows that a table of groups is made of.
const mostGroupRows = 2_000_000

const day = 24 * time.Hour

// Groups is what a version of a model does for each group of rows, in the whole days that
// window holds and today; version 0 is the live one, window 0 is 28 days. A model that has
// no live version is a NotFound fault, more than two million rows TooLarge.
func (s *Service) Groups(ctx context.Context, name string, version int, window time.Duration) (monitoring.GroupsSeen, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return monitoring.GroupsSeen{}, err
	}
	if window == 0 {
		window = 28 * day
	}
	// A window that could begin at any moment would let one row be told by two of them.
	if window < day || window%day != 0 {
		return monitoring.GroupsSeen{}, fault.New(fault.Invalid, "a window is whole days, such as 28d")
	}
	if version, err = s.versionOf(ctx, name, version); err != nil {
		return monitoring.GroupsSeen{}, err
	}
	now := s.now(ctx)
	from := now.UTC().Truncate(day).Add(-window)
	rows := monitoring.NewGroupRows(m.Recipe.Task, now)
	err = s.opts.Log.Scan(ctx, prediction.Query{Model: name, From: from, AsOf: now, Audit: len(m.Recipe.Task.Audit) > 0}, func(j prediction.Joined) error {
		scores := j.ScoresOf(version)
		if len(scores) != 1 {
			return nil
		}
		if rows.Len() == mostGroupRows {
			return fault.New(fault.TooLarge, "%s has more than %d rows since %s", name, mostGroupRows, from.Format(time.DateOnly)).Do("ask for a shorter window")
		}
		rows.Add(&j, scores[0])
		return nil
	})
	if err != nil {
		return monitoring.GroupsSeen{}, err
	}
	out := rows.See(m.Recipe.GroupRatio())
	out.Model, out.Version, out.From, out.To = name, version, from, now
	return out, nil
}
