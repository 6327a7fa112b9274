// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/serving/prediction"
	"flyball/stat"
)

// peer is what another library says of rows; see testdata/peers.py, which writes it.
type peer struct {
	Made string
	Was  peerRows
	Now  peerRows
	Says map[string]float64
	Sets map[string]struct{ Was, Now peerScores }
}

type peerRows struct {
	Level []float64
	Word  []*string
}

type peerScores struct {
	Score  []float64
	Scores [][]float64
	Truth  []float64
}

func readPeer(t *testing.T, name string) peer {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var p peer
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// agrees reports a figure of ours that is off by more than within.
func (p *peer) agrees(t *testing.T, what string, got, within float64) {
	t.Helper()
	if want, ok := p.Says[what]; !ok || math.Abs(got-want) > within {
		t.Errorf("%s: got %.9f, want %.9f of %s", what, got, want, p.Made)
	}
}

// profile is that of the rows before, and the counts of those now.
func (p *peer) profile(t *testing.T) (*Profile, Window) {
	t.Helper()
	null := make([]bool, len(p.Was.Word))
	words := make([]string, len(p.Was.Word))
	for i, w := range p.Was.Word {
		if null[i] = w == nil; !null[i] {
			words[i] = *w
		}
	}
	fields := []frame.Field{{Name: "level", Kind: frame.Number}, {Name: "word", Kind: frame.Text}}
	out, err := NewProfile(Policy{}, dataset.Task{Kind: dataset.Regression}, fields,
		frame.New(frame.NumberColumn("level", p.Was.Level), frame.TextColumn("word", words, null)), nil, Residuals{})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]prediction.Joined, len(p.Now.Level))
	for i := range rows {
		if rows[i].Row, err = json.Marshal(map[string]any{"level": p.Now.Level[i], "word": p.Now.Word[i]}); err != nil {
			t.Fatal(err)
		}
	}
	return out, Count(out, rows, nil)
}

func TestDistancesAreThoseOfEvidently(t *testing.T) {
	p := readPeer(t, "evidently")
	ref, now := p.profile(t)
	level, word := Shifts(ref, now)[0], Shifts(ref, now)[1]
	known := len(ref.Features[1].Words) // words of now that were not there are left out
	a, b := now.Features[1].Bins[:known], ref.Features[1].Counts[:known]
	p.agrees(t, "level jensenshannon", level.JS, 1e-12)
	p.agrees(t, "word jensenshannon", stat.JensenShannon(a, b), 1e-12)
	p.agrees(t, "word missing", word.Missing, 1e-12)
	// Ours has the values themselves, not their distance over the spread.
	f := &ref.Features[0]
	at, mean, spread := append(append([]float64{}, f.Edges...), f.Max), 0.0, 0.0
	for k, n := range f.Counts {
		mean += at[k] * float64(n) / float64(ref.Rows)
	}
	for k, n := range f.Counts {
		spread += (at[k] - mean) * (at[k] - mean) * float64(n) / float64(ref.Rows)
	}
	p.agrees(t, "level wasserstein", stat.W1Bins(at, now.Features[0].Bins, f.Counts)/math.Sqrt(spread), 1e-12)
	// Ours adds half a count to each bin, theirs none where no bin is empty.
	p.agrees(t, "level psi", stat.PSI(now.Features[0].Bins, f.Counts), 0.03*p.Says["level psi"])
	p.agrees(t, "word psi", stat.PSI(a, b), 0.03*p.Says["word psi"])
}

func TestDistancesAndSharesAreThoseOfNannyML(t *testing.T) {
	p := readPeer(t, "nannyml")
	ref, now := p.profile(t)
	level, word := Shifts(ref, now)[0], Shifts(ref, now)[1]
	known := len(ref.Features[1].Words)
	bits := 1 / math.Sqrt(math.Ln2) // theirs is in bits
	p.agrees(t, "level jensen_shannon", level.JS*bits, 1e-12)
	p.agrees(t, "word jensen_shannon", stat.JensenShannon(now.Features[1].Bins[:known], ref.Features[1].Counts[:known])*bits, 1e-12)
	p.agrees(t, "level kolmogorov_smirnov", level.KS, 1e-12)
	f := &ref.Features[0]
	p.agrees(t, "level wasserstein", stat.W1Bins(append(append([]float64{}, f.Edges...), f.Max), now.Features[0].Bins, f.Counts), 1e-12)
	p.agrees(t, "word missing", word.Missing, 1e-12)
	// Theirs is of all rows, and ours of those with a value.
	p.agrees(t, "word unseen", word.New*(1-word.Missing), 1e-12)
}

func TestPerformanceWithoutLabelsIsThatOfNannyML(t *testing.T) {
	p := readPeer(t, "nannyml")
	names := map[string]string{"auc": "roc_auc", "accuracy": "accuracy"}
	same := Curve{At: []float64{0, 1}, Value: []float64{0, 1}}
	for name, set := range p.Sets {
		if name == "classes" {
			u := &Unlabelled{Rows: 1, Metrics: []Known{{"accuracy", 0}}, Curves: []Curve{same, same, same}}
			var scores []float64
			for _, s := range set.Now.Scores {
				scores = append(scores, s...)
			}
			p.agrees(t, "classes as they are accuracy", u.Estimate(dataset.Multiclass, scores)[0].Value, 1e-12)
			was := Residuals{Truth: set.Was.Truth, Classes: []string{"0", "1", "2"}}
			for _, s := range set.Was.Scores {
				was.Scores = append(was.Scores, s...)
			}
			for _, e := range newUnlabelled("accuracy", dataset.Multiclass, was).Estimate(dataset.Multiclass, scores) {
				if e.Metric == "accuracy" {
					p.agrees(t, "classes curve accuracy", e.Value, 0.01)
				}
			}
			continue
		}
		u := &Unlabelled{Rows: 1, Metrics: []Known{{"auc", 0}, {"accuracy", 0}}, Curves: []Curve{same}}
		for _, e := range u.Estimate(dataset.Binary, set.Now.Score) {
			p.agrees(t, name+" as they are "+names[e.Metric], e.Value, 1e-9)
		}
		// Theirs calibrates each score, ours neighbours together.
		u = newUnlabelled("", dataset.Binary, Residuals{Truth: set.Was.Truth, Scores: set.Was.Score})
		for _, e := range u.Estimate(dataset.Binary, set.Now.Score) {
			if theirs := names[e.Metric]; theirs != "" {
				p.agrees(t, name+" curve "+theirs, e.Value, 0.01)
			}
		}
	}
}
