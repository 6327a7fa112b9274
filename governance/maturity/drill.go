// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"fmt"
	"time"
)

// Drill is one time that the way back was tried without going it. The zero value is none.
type Drill struct {
	ID    string    `json:"id"`
	Model string    `json:"model"`
	From  int       `json:"from" doc:"the version that a rollback would take back"`
	Back  int       `json:"back" doc:"the version that would answer in its place"`
	Rows  int       `json:"rows" doc:"recorded rows that it had to answer again"`
	Took  float64   `json:"took" doc:"seconds, to load and warm it and to answer them"`
	Why   string    `json:"why,omitempty" doc:"why the way back does not hold; absent: it does"`
	At    time.Time `json:"at"`
	By    string    `json:"by"`
}

// Holds reports whether the way back was found to hold.
func (d Drill) Holds() bool { return d.Why == "" }

// Text is what came of it, in a sentence.
func (d Drill) Text() string {
	if !d.Holds() {
		return fmt.Sprintf("the way back from v%d to v%d does not hold: %s", d.From, d.Back, d.Why)
	}
	return fmt.Sprintf("the way back from v%d to v%d holds: loaded, warmed, and %d recorded rows answered as before, in %.2f s", d.From, d.Back, d.Rows, d.Took)
}
