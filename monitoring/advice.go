// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"strings"
)

// Advice is what a finding means, for whoever it goes to.
type Advice struct {
	Diagnosis string   `json:"diagnosis" doc:"one sentence"`
	Causes    []string `json:"causes" doc:"what it may come of, the likeliest first"`
	Command   string   `json:"command" doc:"the one to run first"`
	Flag      string   `json:"flag,omitempty" doc:"the flag of the predictions that are meant; empty: none"`
}

// flagged says that the predictions with a flag are meant.
func (a Advice) flagged(model, flag string) Advice {
	a.Flag, a.Command = flag, "flyball predictions search "+model+" --flag "+flag
	return a
}

// Advised are the findings, each with its advice. It is pure: the others that are open
// are what a finding's first causes are taken from.
func Advised(all []Finding) []Finding {
	out := make([]Finding, len(all))
	for i, f := range all {
		a := Advise(f, all)
		f.Advice = &a
		out[i] = f
	}
	return out
}

// Advise says what a finding means. Causes that are seen in other open findings of the
// same version come before those that are only usual.
func Advise(f Finding, others []Finding) Advice {
	a := adviceOf(f)
	var seen []string
	for _, kind := range causing(f.Kind) {
		for _, o := range others {
			if o.Kind == kind && o.ID != f.ID && o.Version == f.Version && o.Closed.IsZero() && (kind != f.Kind || o.Subject != f.Subject) {
				seen = append(seen, o.Text)
			}
		}
	}
	const most = 3
	a.Causes = append(seen[:min(len(seen), most)], a.Causes...)
	return a
}

// causing are the kinds of finding that a finding of the kind may come of, the most
// direct first.
func causing(kind string) []string {
	switch kind {
	case Drift:
		return []string{Quality, Skew}
	case Score, Groups:
		return []string{Quality, Skew, Drift}
	case Retraining:
		return []string{Quality, Score, Drift}
	}
	return nil
}

// adviceOf is the advice by the finding alone.
func adviceOf(f Finding) Advice {
	switch f.Kind {
	case Quality:
		return qualityAdvice(f)
	case Drift:
		return driftAdvice(f)
	case Score:
		return scoreAdvice(f)
	case Groups:
		return groupAdvice(f)
	case Skew:
		return Advice{
			Diagnosis: fmt.Sprintf("%s is computed otherwise when it serves than from the row that was logged.", f.Subject),
			Causes:    []string{"the caller computes the feature by itself", "another version of the pipeline serves than trained", "a lookup has other values now than when it was asked"},
			Command:   "flyball pipelines list",
		}
	case Reproduction:
		return Advice{
			Diagnosis: fmt.Sprintf("%s does not come out again as it was made: what its record says does not suffice.", f.Subject),
			Causes:    []string{"an input is not the one that was recorded", "another environment or machine", "a training that depends on chance or on the order of threads"},
			Command:   fmt.Sprintf("flyball reproduce %s@%d", f.Model, f.Version),
		}
	case Retraining:
		return Advice{
			Diagnosis: "Training again does not help: the gate keeps candidate after candidate out for the same reason.",
			Causes:    []string{"the model file asks for what these data do not give", "the live version is as good as these features allow", "the rows of the gate are too few, or not like the traffic"},
			Command:   fmt.Sprintf("flyball gate %s@%d", f.Model, f.Version),
		}
	}
	return Advice{Diagnosis: f.Text, Command: "flyball status " + f.Model}
}

// qualityAdvice tells the checks apart by the subject's last words.
func qualityAdvice(f Finding) Advice {
	check, onData := strings.CutPrefix(f.Subject, "data: ")
	column := f.Subject
	of := func(word string) bool {
		name, ok := strings.CutSuffix(f.Subject, " "+word)
		if ok {
			column = name
		}
		return ok
	}
	search := "flyball predictions search " + f.Model
	switch {
	case onData:
		return Advice{
			Diagnosis: fmt.Sprintf("The data to train on break a rule of the model file (%s), so nothing was trained.", check),
			Causes:    []string{"the source changed, or was not filled to its end", "the rule is older than the world"},
			Command:   "flyball data check " + f.Model,
		}
	case f.Subject == "rows":
		return Advice{
			Diagnosis: "Fewer rows are asked for than there should be.",
			Causes:    []string{"a caller has stopped, or asks somewhere else", "the log drops rows because its disk is full or slow", "a holiday"},
			Command:   "flyball status " + f.Model,
		}
	case f.Subject == "unusual rows":
		return Advice{
			Diagnosis: "More rows than at training are like none that was trained on, and the model guesses at them.",
			Causes:    []string{"columns upstream no longer belong to the same row", "other customers, places or products ask", "another unit or coding upstream"},
		}.flagged(f.Model, "improbable_combination")
	case of("missing"):
		return Advice{
			Diagnosis: fmt.Sprintf("%s does not come any more with all rows, and what was learned of it does not hold where it is missing.", column),
			Causes:    []string{"the column was renamed or left out upstream", "a join upstream finds no partner", "a new kind of row that has no such value"},
			Command:   search,
		}
	case of("unseen"):
		return Advice{
			Diagnosis: fmt.Sprintf("%s has values that were not there at training, of which the model knows nothing.", column),
			Causes:    []string{"a new product, place or partner", "another spelling or coding upstream"},
		}.flagged(f.Model, "unseen:"+column)
	case of("of the wrong type"):
		return Advice{
			Diagnosis: fmt.Sprintf("%s comes as another type than at training, and cannot be read.", column),
			Causes:    []string{"a new release upstream writes it otherwise", "columns changed places upstream"},
			Command:   search,
		}
	case of("far out of range"), of("out of range"):
		return Advice{
			Diagnosis: fmt.Sprintf("%s lies where nothing was at training, and the model guesses there.", column),
			Causes:    []string{"another unit upstream", "mistakes of typing or of a sensor", "the world went on"},
		}.flagged(f.Model, "out_of_range:"+column)
	case of("stuck"):
		return Advice{
			Diagnosis: fmt.Sprintf("%s has one value in all rows, and tells the model nothing.", column),
			Causes:    []string{"a default is sent because a source upstream is down", "a sensor or a job upstream stands still"},
			Command:   search,
		}
	}
	return Advice{Diagnosis: f.Subject + " is not as at training.", Causes: []string{"a change upstream"}, Command: search}
}

func driftAdvice(f Finding) Advice {
	if f.Subject == predictions {
		return Advice{
			Diagnosis: "The model says other things than it did on its held-out rows; nothing shows yet whether they are wrong.",
			Causes:    []string{"other rows are asked for than were trained on", "a column upstream means something else", "the season"},
			Command:   "flyball drift " + f.Model,
		}
	}
	return Advice{
		Diagnosis: fmt.Sprintf("The rows asked for are not those that were trained on, as far as %s goes.", f.Subject),
		Causes:    []string{"other customers, places or products ask", "a column upstream means something else", "the season"},
		Command:   "flyball drift " + f.Model,
	}
}

func scoreAdvice(f Finding) Advice {
	if f.Subject == "bias" {
		return Advice{
			Diagnosis: "The predictions lie beside the truth in one direction.",
			Causes:    []string{"the level of what is predicted has moved", "a column upstream means something else", "truths come late and not for all rows alike"},
			Command:   "flyball score " + f.Model,
		}
	}
	return Advice{
		Diagnosis: fmt.Sprintf("The live version does worse on rows whose truth is known than when it was released, by %s.", f.Subject),
		Causes:    []string{"the same rows have other truths now", "rows come that are harder to predict", "a column upstream means something else"},
		Command:   "flyball score " + f.Model,
	}
}
