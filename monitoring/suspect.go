// SPDX-License-Identifier: Apache-2.0

package monitoring

// Suspect is how much of the evidence that an alarm asks for a detector has, and whether
// it has been half of it and not yet below a quarter again. The zero value suspects
// nothing. It informs people: no finding hangs on it.
type Suspect struct {
	Share float64 `json:"share,omitempty"`
	On    bool    `json:"on,omitempty"`
}

// take takes the evidence after one more window in; alarm is what a finding asks for.
func (s *Suspect) take(evidence, alarm float64) {
	s.Share = evidence / alarm
	if s.Share >= 0.5 {
		s.On = true
	}
	if s.Share < 0.25 {
		s.On = false
	}
}

// Suspects are the watches that suspect something that is not a finding yet, in words.
func (s State) Suspects() []string {
	var out []string
	for _, d := range []struct {
		name string
		of   Detector
	}{{"inputs", s.Inputs}, {"predictions", s.Predictions}, {"bias", s.Bias}, {"performance", s.Performance}} {
		if d.of.Suspect.On {
			out = append(out, d.name+": "+percent(min(d.of.Suspect.Share, 1))+" of the evidence that an alarm asks for")
		}
	}
	return out
}
