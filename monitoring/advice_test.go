// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryFindingSaysWhatItMeansAndWhatToDoFirst(t *testing.T) {
	for _, c := range []struct {
		kind, subject      string
		diagnosis, command string
	}{
		{Quality, "rows", "Fewer rows are asked for than there should be.", "flyball status m"},
		{Quality, "adr missing", "adr does not come any more with all rows, and what was learned of it does not hold where it is missing.", "flyball predictions search m"},
		{Quality, "agent unseen", "agent has values that were not there at training, of which the model knows nothing.", "flyball predictions search m --flag unseen:agent"},
		{Quality, "adr out of range", "adr lies where nothing was at training, and the model guesses there.", "flyball predictions search m --flag out_of_range:adr"},
		{Quality, "temp stuck", "temp has one value in all rows, and tells the model nothing.", "flyball predictions search m"},
		{Quality, "unusual rows", "More rows than at training are like none that was trained on, and the model guesses at them.", "flyball predictions search m --flag improbable_combination"},
		{Quality, "data: unique(id)", "The data to train on break a rule of the model file (unique(id)), so nothing was trained.", "flyball data check m"},
		{Drift, "adr", "The rows asked for are not those that were trained on, as far as adr goes.", "flyball drift m"},
		{Drift, "adr with nights", "The rows asked for are not those that were trained on, as far as adr with nights goes.", "flyball drift m"},
		{Drift, predictions, "The model says other things than it did on its held-out rows; nothing shows yet whether they are wrong.", "flyball drift m"},
		{Score, "bias", "The predictions lie beside the truth in one direction.", "flyball score m"},
		{Score, "mae", "The live version does worse on rows whose truth is known than when it was released, by mae.", "flyball score m"},
		{Skew, "lag", "lag is computed otherwise when it serves than from the row that was logged.", "flyball pipelines list"},
		{Reproduction, "v3", "v3 does not come out again as it was made: what its record says does not suffice.", "flyball reproduce m@3"},
		{Retraining, "v3", "Training again does not help: the gate keeps candidate after candidate out for the same reason.", "flyball gate m@3"},
	} {
		t.Run(c.kind+" "+c.subject, func(t *testing.T) {
			a := Advise(Finding{Model: "m", Version: 3, Kind: c.kind, Subject: c.subject}, nil)
			if a.Diagnosis != c.diagnosis || a.Command != c.command {
				t.Errorf("got %q, %q", a.Diagnosis, a.Command)
			}
			if len(a.Causes) < 2 || strings.Count(a.Diagnosis, ".") != 1 {
				t.Errorf("got %d causes, and %q", len(a.Causes), a.Diagnosis)
			}
		})
	}
}

func TestCausesThatAreSeenComeBeforeThoseThatAreUsual(t *testing.T) {
	score := Finding{ID: "s", Model: "m", Version: 3, Kind: Score, Subject: "mae"}
	all := []Finding{
		score,
		{ID: "d", Version: 3, Kind: Drift, Subject: "adr", Text: "adr drifts"},
		{ID: "q", Version: 3, Kind: Quality, Subject: "adr missing", Text: "adr is missing"},
		{ID: "old", Version: 2, Kind: Quality, Subject: "temp stuck", Text: "temp was stuck for v2"},
		{ID: "over", Version: 3, Kind: Skew, Subject: "lag", Text: "lag was skewed", Closed: time.Unix(1, 0)},
	}
	got := Advised(all)[0].Advice.Causes
	want := []string{"adr is missing", "adr drifts", "the same rows have other truths now"}
	if len(got) < 3 || !slices.Equal(got[:3], want) {
		t.Errorf("got %q, want %q first", got, want)
	}
	if drift := Advised(all)[1].Advice.Causes; drift[0] != "adr is missing" || slices.Contains(drift, "adr drifts") {
		t.Errorf("a finding is its own cause: %q", drift)
	}
}
