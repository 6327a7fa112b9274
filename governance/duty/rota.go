// SPDX-License-Identifier: Apache-2.0

package duty

import (
	"slices"
	"time"

	"flyball/fault"
	"flyball/unit"
)

// Rota is people who carry a duty in turns. Whose turn it is follows from the moment alone,
// so nobody has to hand over.
type Rota struct {
	People []string      `json:"people"` // in the order of their turns
	Turn   unit.Duration `json:"turn"`   // how long one of them has it, such as 7d
	From   string        `json:"from"`   // when the first turn begins, in UTC: 2026-03-02, or 2026-03-02T08:00
}

// The bounds of a rota.
const (
	mostPeople  = 100
	leastOfTurn = time.Hour
)

// Start is when the first turn begins; an Invalid fault where From is no time.
func (r Rota) Start() (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04", time.RFC3339} {
		if t, err := time.Parse(layout, r.From); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "%q is no time for a rota to begin", r.From).Do("say 2026-03-02, or 2026-03-02T08:00, in UTC")
}

// Check says whether somebody has each turn: an Invalid fault says why not.
func (r Rota) Check() error {
	seen := map[string]bool{}
	for _, name := range r.People {
		if name == "" || seen[name] {
			return fault.New(fault.Invalid, "a rota names each of its people once")
		}
		seen[name] = true
	}
	switch {
	case len(r.People) < 2 || len(r.People) > mostPeople:
		return fault.New(fault.Invalid, "a rota has 2 to %d people, for the next one is the backup", mostPeople)
	case r.Turn.D() < leastOfTurn:
		return fault.New(fault.Invalid, "a turn of a rota lasts an hour at least").Do("say turn: 7d")
	}
	_, err := r.Start()
	return err
}

// At is the people at the moment now, whose turn it is first, and when the turn ends. Before
// the first turn it is the first one's. A rota that does not pass Check gives nobody.
func (r Rota) At(now time.Time) (people []string, until time.Time) {
	from, err := r.Start()
	if err != nil || r.Check() != nil {
		return nil, time.Time{}
	}
	turn := max(0, now.Sub(from)/r.Turn.D())
	k := int(turn % time.Duration(len(r.People)))
	return slices.Concat(r.People[k:], r.People[:k]), from.Add((turn + 1) * r.Turn.D())
}

// Absence is when somebody cannot be called. There is one for each person.
type Absence struct {
	Person string    `json:"person"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"` // from then on they are back
	Why    string    `json:"why,omitempty"`
	By     string    `json:"by"` // who said so
	At     time.Time `json:"at"`
}

// Away reports whether the person is away at the moment now.
func Away(person string, now time.Time, all []Absence) bool {
	return slices.ContainsFunc(all, func(a Absence) bool { return a.Person == person && !now.Before(a.From) && now.Before(a.To) })
}

// At is the duty as it is carried at the moment now: the owner is whoever of the rota has the
// turn, or the named one; who is away is passed over for the next. The backup is the named
// one, else the next. Where one person is left, that one is both; where none is, the duty is
// as if nobody were away: somebody is called.
func (d Duty) At(now time.Time, away []Absence) Duty {
	people, backups := []string{d.Owner, d.Backup}, []string(nil)
	if d.Rota != nil {
		people, _ = d.Rota.At(now)
		backups = []string{d.Backup}
	}
	gone := func(name string) bool { return name == "" || Away(name, now, away) }
	here := slices.DeleteFunc(slices.Clone(people), gone)
	switch {
	case len(here) == 0:
		here = people
	case d.Rota == nil && (len(here) == 2 || d.Backup == "" || d.Owner == ""):
		return d
	}
	if len(here) == 0 || here[0] == "" {
		return d
	}
	d.Owner, d.Backup = here[0], here[0]
	for _, name := range slices.Concat(backups, here) {
		if name != d.Owner && name != "" && !Away(name, now, away) {
			d.Backup = name
			break
		}
	}
	return d
}

// At is all four duties as they are carried at the moment now.
func (d Duties) At(now time.Time, away []Absence) Duties {
	return Duties{Feed: d.Feed.At(now, away), Monitor: d.Monitor.At(now, away), Retrain: d.Retrain.At(now, away), Fix: d.Fix.At(now, away)}
}

// Hole is the name of a duty that nobody would carry at some moment of the absence, given the
// others; empty: there is none. It looks where the absence or another one begins: between, nobody leaves.
func (d Duties) Hole(a Absence, others []Absence) string {
	all := append(slices.DeleteFunc(slices.Clone(others), func(o Absence) bool { return o.Person == a.Person }), a)
	for _, name := range Names() {
		of := d.Of(name)
		people := []string{of.Owner, of.Backup}
		if of.Rota != nil {
			people = of.Rota.People
		}
		people = slices.DeleteFunc(slices.Clone(people), func(p string) bool { return p == "" })
		if !slices.Contains(people, a.Person) {
			continue
		}
		for _, o := range all {
			at := o.From
			if at.Before(a.From) {
				at = a.From
			}
			if at.Before(a.To) && !slices.ContainsFunc(people, func(p string) bool { return !Away(p, at, all) }) {
				return name
			}
		}
	}
	return ""
}

// Turn is who has a duty of a model since when, as it was last noted.
type Turn struct {
	Model, Duty string
	Who, Before string // Before: who had it, as whoever notes a turn knows; empty: nobody was noted
	Since       time.Time
}
