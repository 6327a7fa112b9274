// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
	"flyball/governance/duty"
)

// longestAway is how long an absence may last: who is longer away hands the duty over.
const longestAway = 366 * 24 * time.Hour

// Away says that a person cannot be called from one moment to another, in the place of what
// was said of them before; one that ends by now ends it. A Refused fault names the duty that
// nobody would carry then.
func (s *Service) Away(ctx context.Context, person string, from, to time.Time, why string) (Changed, error) {
	now, by := s.opts.Now(), access.Actor(ctx)
	a := duty.Absence{Person: strings.TrimSpace(person), From: from.UTC(), To: to.UTC(), Why: strings.TrimSpace(why), By: by, At: now}
	switch {
	case a.Person == "" || len(a.Person) > 254:
		return Changed{}, fault.New(fault.Invalid, "an absence is somebody's").Do("name the person as the duties do")
	case !a.From.Before(a.To) || a.To.Sub(a.From) > longestAway:
		return Changed{}, fault.New(fault.Invalid, "an absence begins before it ends, and lasts a year at most")
	case len(a.Why) > mostWhy:
		return Changed{}, fault.New(fault.Invalid, "a reason takes at most %d bytes", mostWhy)
	}
	models, err := s.Models(ctx)
	if err != nil {
		return Changed{}, err
	}
	others, err := s.opts.Store.Absences(ctx)
	if err != nil {
		return Changed{}, err
	}
	for _, m := range models {
		d, err := s.named(ctx, m.Name)
		if err != nil {
			return Changed{}, err
		}
		if name := d.Hole(a, others); name != "" {
			return Changed{}, fault.New(fault.Refused, "while %s is away, nobody would have the duty %s of %s", a.Person, name, m.Name).
				Do("name somebody else in its model file first, or choose another time; see flyball owners %s", m.Name)
		}
	}
	text := fmt.Sprintf("%s is away from %s to %s UTC", a.Person, a.From.Format("2 Jan 2006 15:04"), a.To.Format("2 Jan 2006 15:04"))
	if !now.Before(a.To) {
		text = a.Person + " is back"
	}
	rec := audit.Record{At: now, Actor: by, Action: "away", Object: a.Person, Why: a.Why, Data: fmt.Appendf(nil, `{"from":%q,"to":%q}`, a.From.Format(time.RFC3339), a.To.Format(time.RFC3339))}
	ev := event.Event{At: now, By: by, Mark: event.OK, Kind: "duty", Text: text, Command: "flyball owners"}
	return Changed{Text: text}, s.opts.Store.KeepAbsence(ctx, a, rec, ev)
}

// named are the duties of a model as its file has them, whoever is away.
func (s *Service) named(ctx context.Context, model string) (duty.Duties, error) {
	rm, err := s.opts.Store.Model(ctx, model)
	if err != nil {
		return duty.Duties{}, err
	}
	m, err := s.parse(rm)
	return m.Duties, err
}

// HandOver notes who has each duty that goes by turns, or whose people are away, and tells
// when it is another than before. Asking again at the same moment changes nothing.
func (s *Service) HandOver(ctx context.Context) error {
	models, err := s.Models(ctx)
	if err != nil {
		return err
	}
	turns, err := s.opts.Store.Turns(ctx)
	if err != nil {
		return err
	}
	before := map[[2]string]string{}
	for _, t := range turns {
		before[[2]string{t.Model, t.Duty}] = t.Who
	}
	now := s.opts.Now()
	for _, m := range models {
		named, err := s.named(ctx, m.Name)
		if err != nil {
			return err
		}
		for _, name := range duty.Names() {
			who := m.Duties.Of(name).Owner
			noted := before[[2]string{m.Name, name}]
			was := cmp.Or(noted, named.Of(name).Owner)
			if who == "" || who == was {
				continue
			}
			text := fmt.Sprintf("%s has the duty %s now", who, name)
			if was != "" {
				text += ", after " + was
			}
			ev := event.Event{At: now, Model: m.Name, By: "flyball", Mark: event.OK, Kind: "duty", Text: text, Command: "flyball owners " + m.Name}
			if err := s.opts.Store.TakeTurn(ctx, duty.Turn{Model: m.Name, Duty: name, Who: who, Since: now, Before: noted}, ev); err != nil {
				return err
			}
		}
	}
	return nil
}
