// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"

	"flyball/training/learner"
	"flyball/training/learner/learnertest"
)

// measured is what one of them makes of a set: over its splits the seconds of the
// processor that all fits of a turn took, and the mean of the quality.
type measured struct {
	seconds []float64 // by turn
	quality float64
}

func (m measured) middle() float64 {
	s := slices.Sorted(slices.Values(m.seconds))
	return s[len(s)/2]
}

// sets trains the real data sets, all libraries in turns.
func sets(out io.Writer, python, only string, turns, splits int) error {
	var which []string
	if only != "" {
		which = strings.Split(only, ",")
	}
	peers, err := learnertest.Open(context.Background(), python, ".", which...)
	if err != nil {
		return err
	}
	defer peers.Close()
	fmt.Fprintf(out, "\n%-14s %7s %8s %6s %4s %9s %9s %9s %8s %8s %8s %8s %7s %7s\n", "", "rows", "features", "splits", "",
		"flyball", "xgboost", "lightgbm", "to xgb", "flyball", "xgboost", "lightgbm", "to xgb", "to lgb")
	logs := 0.0
	for _, s := range peers.Sets {
		if s.Missing != "" {
			fmt.Fprintf(out, "%-14s left out: %s\n", s.Name, s.Missing)
			continue
		}
		n := min(splits, s.Splits)
		m, err := measure(peers, s, turns, n)
		if err != nil {
			return err
		}
		f, x, l := m[names[0]], m[names[1]], m[names[2]]
		unit, apart := "AUC", fmt.Sprintf("%+.5f", f.quality-x.quality)
		if s.Classes == 0 {
			unit, apart = "RMSE", fmt.Sprintf("%+.2f %%", 100*(f.quality/x.quality-1))
		}
		fmt.Fprintf(out, "%-14s %7d %8d %6d %4s %9.5f %9.5f %9.5f %8s %6.3f s %6.3f s %6.3f s %7.2f %7.2f\n", s.Name, s.Rows, len(s.Columns), n, unit,
			f.quality, x.quality, l.quality, apart, f.middle(), x.middle(), l.middle(), f.middle()/x.middle(), f.middle()/l.middle())
		logs += math.Log(f.middle() / x.middle())
	}
	fmt.Fprintf(out, "geometric mean of the seconds to XGBoost's: %.2f\n", math.Exp(logs/float64(len(peers.Sets))))
	return nil
}

func measure(peers *learnertest.Peers, s learnertest.Set, turns, splits int) (map[string]measured, error) {
	out := map[string]measured{}
	for turn := range turns {
		took := map[string]float64{}
		for split := range splits {
			train, test, err := peers.Data(s, split)
			if err != nil {
				return nil, err
			}
			for i := range names {
				name := names[(turn+split+i)%len(names)]
				seconds, scores, err := one(peers, s, split, name, train, test)
				if err != nil {
					return nil, fmt.Errorf("%s on %s: %w", name, s.Name, err)
				}
				took[name] += seconds
				if turn == 0 {
					m := out[name]
					m.quality += s.Quality(test.Y, scores) / float64(splits)
					out[name] = m
				}
			}
		}
		for name, seconds := range took {
			m := out[name]
			m.seconds = append(m.seconds, seconds)
			out[name] = m
		}
	}
	return out, nil
}

// one is one fit, and its scores of the rows to test on.
func one(peers *learnertest.Peers, s learnertest.Set, split int, name string, train, test learner.Data) (seconds float64, scores []float64, err error) {
	if name != names[0] {
		took, scores, err := peers.Fit(s, split, name)
		return took.Seconds(), scores, err
	}
	l, err := learner.New("builtin/gbdt", s.Settings())
	if err != nil {
		return 0, nil, err
	}
	runtime.GC() // of what came before
	start := processor()
	f, err := l.Fit(context.Background(), train, learner.Options{Seed: 1, Workers: 1})
	if err != nil {
		return 0, nil, err
	}
	seconds = (processor() - start).Seconds()
	e, err := learner.Decoders().Estimators[f.Name](f.Bytes)
	if err != nil {
		return 0, nil, err
	}
	scores = make([]float64, test.X.Rows*e.Outputs())
	e.Score(test.X, scores)
	return seconds, scores, nil
}
