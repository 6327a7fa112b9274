// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"flyball/experiment/evaluation"
	"flyball/experiment/modeltest"
	"flyball/governance/card"
	"flyball/governance/duty"
)

func TestAProfileListsWhatIsHeldAndWhatIsMissingAndClaimsNothing(t *testing.T) {
	one := duty.Duty{Owner: "ana", Backup: "bo"}
	f := Facts{
		Model: "m", Now: time.Date(2017, 3, 16, 12, 0, 0, 0, time.UTC), Monitored: true, Records: 12, Duties: duty.Duties{Feed: one, Monitor: one, Retrain: one, Fix: one},
		Card: &card.Card{Ref: "m@7", Model: "m", Version: 7, Bundle: "6c2c", Verdict: "pass", Rows: 4210, Human: card.Human{IntendedUse: "to ask <b>first</b>", Risk: "low"}},
	}
	for _, profile := range Profiles() {
		e, err := Of(profile, f)
		if err != nil {
			t.Fatal(err)
		}
		held, missing := e.Count()
		if held < 4 || missing < 4 || len(e.Headings) < 4 {
			t.Errorf("%s: %d held, %d missing under %d headings", profile, held, missing, len(e.Headings))
		}
		var b bytes.Buffer
		if err := e.HTML(&b, ""); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{b.String(), e.Markdown()} {
			for _, bad := range []string{"<script", "<b>", "http:", "https:", "omplian"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s: the document has %s", profile, bad)
				}
			}
			if !strings.Contains(text, "no statement that a law or a standard is satisfied") {
				t.Errorf("%s: the document does not say that it claims nothing", profile)
			}
		}
	}
	if _, err := Of("iso-9001", f); err == nil || !strings.Contains(err.Error(), "ai-act") {
		t.Errorf("a profile that there is not: %v", err)
	}
}

func TestEveryKindSaysWhatIsHeldOrWhatWouldGiveIt(t *testing.T) {
	full := time.Date(2017, 3, 16, 12, 0, 0, 0, time.UTC)
	one := duty.Duty{Owner: "ana", Backup: "bo"}
	nothing := Facts{Model: "m", Card: &card.Card{Ref: "m@7", Model: "m"}}
	bare := Facts{Model: "m"}
	held := Facts{
		Model: "m", Duties: duty.Duties{Feed: one, Monitor: one, Retrain: one, Fix: one}, Records: 1, Predicted: full, Reasoned: true, Labelled: full, Groups: true, Monitored: true,
		Card: &card.Card{
			Ref: "m@7", Model: "m", Bundle: "b", Record: "r", Verdict: "pass", Data: card.Data{Snapshot: "s"}, Origin: card.Origin{Machine: "here"}, Tests: tested(), Estimates: estimated(),
			Remade: []card.Remade{{Grade: "R3"}}, Steps: []card.Step{{}}, Human: card.Human{IntendedUse: "a", OutOfScope: "b", Affected: "c", Limits: "d", Risk: "low", Owner: "e"},
		},
	}
	for k := intended; k <= duties; k++ {
		if l := held.line(k); !l.Held || l.Text == "" || l.What == "" {
			t.Errorf("%s is held: %+v", named(k), l)
		}
		for _, f := range []Facts{nothing, bare} {
			if l := f.line(k); l.Held || l.Text == "" || l.What == "" {
				t.Errorf("%s is missing: %+v", named(k), l)
			}
		}
	}
}

func tested() []modeltest.Result { return []modeltest.Result{{Name: "t"}} }

func estimated() []evaluation.Estimate {
	return []evaluation.Estimate{{Metric: "mae", Slice: "a=1", Role: "candidate"}}
}
