// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/event"
)

// view is what the templates show.
type view struct {
	Frame    frame
	Count    string
	Headline []span
	More     string
	Stages   []string
	Models   []wire.Status
	Days     []dayOf
	Legend   []key
}

// span is a piece of the headline; bold is what the reader came for.
type span struct {
	Text string
	Bold bool
}

// dayOf is a day's events, the newest first.
type dayOf struct {
	Name   string
	Events []line
}

// line is one event.
type line struct {
	event.Event
	Stamp, Clock string
}

// key is one mark of the legend.
type key struct {
	Mark event.Mark
	Word string
}

var stages = []string{"Data", "Training", "Gate", "Release", "Serving", "Drift & score", "Retraining"}

var legend = []key{
	{event.OK, "holds"},
	{event.Move, "moving"},
	{event.Wait, "waiting"},
	{event.Off, "decided: no change"},
	{event.Warn, "look at it"},
	{event.Stop, "stopped or broken"},
	{event.None, "cannot tell yet"},
}

// loopFrame surrounds the first page.
func loopFrame() frame {
	return frame{Title: "Loop", Here: "loop", Command: "flyball status --watch", Stream: living, Crumbs: []crumb{{"Flyball", ""}}}
}

func newView(statuses []wire.Status, evs []event.Event) view {
	v := view{Frame: loopFrame(), Stages: stages, Models: statuses, Legend: legend, Days: days(evs), Headline: headline(statuses), More: more(statuses)}
	switch len(statuses) {
	case 1:
		v.Count = "1 model"
	default:
		v.Count = fmt.Sprintf("%d models", len(statuses))
	}
	return v
}

// days groups events by their day in UTC, the newest day and event first.
func days(evs []event.Event) []dayOf {
	var out []dayOf
	for _, e := range slices.Backward(evs) {
		at := e.At.UTC()
		name := at.Format("Mon 2 Jan 2006")
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, dayOf{Name: name})
		}
		d := &out[len(out)-1]
		d.Events = append(d.Events, line{Event: e, Stamp: at.Format(time.RFC3339), Clock: at.Format("15:04")})
	}
	return out
}

// headline is the sentence above the table, made of the values in it: who answers,
// what moves, what is to be looked at.
func headline(statuses []wire.Status) []span {
	if len(statuses) == 0 {
		return []span{{"No model yet.", false}}
	}
	var silent, moving, look []span
	for _, s := range statuses {
		if c := cell(s, "serving"); c.Mark != event.OK {
			silent = join(silent, span{s.Model, true}, span{": " + c.Word, false})
		}
		if c := cell(s, "release"); c.Mark == event.Move {
			moving = join(moving, span{s.Model, true}, span{" " + c.Word, false})
		}
		for _, stage := range []string{"data", "watch"} {
			if c := cell(s, stage); c.Mark == event.Warn {
				look = join(look, span{s.Model, true}, span{": " + c.Word, false})
			}
		}
	}
	var out []span
	switch {
	case len(silent) > 0:
		out = append(silent, span{".", false})
	case len(statuses) == 1:
		out = []span{{statuses[0].Model, true}, {" answers.", false}}
	default:
		out = []span{{fmt.Sprintf("All %d models answer.", len(statuses)), false}}
	}
	for _, part := range [][]span{moving, look} {
		if len(part) > 0 {
			out = append(append(append(out, span{" ", false}), part...), span{".", false})
		}
	}
	return out
}

// join adds a clause to a list of them.
func join(list []span, clause ...span) []span {
	if len(list) > 0 {
		list = append(list, span{"; ", false})
	}
	return append(list, clause...)
}

// cell is a status's cell of a stage; the zero Cell when it has none.
func cell(s wire.Status, stage string) wire.Cell {
	for _, c := range s.Cells {
		if c.Stage == stage {
			return c
		}
	}
	return wire.Cell{}
}

// leads is the page that tells more of a cell.
func leads(model string, c wire.Cell) string {
	switch {
	case c.Stage == "training":
		return runsOf(model)
	case c.Stage == "gate":
		return modelPage("model", model)
	case c.Stage == "release" && c.Mark == event.Wait:
		return "/inbox" // it waits for somebody
	case c.Stage == "release", c.Stage == "serving":
		return modelPage("release", model)
	}
	return modelPage("monitors", model)
}

// more is the line below the headline: what is open, and what is held.
func more(statuses []wire.Status) string {
	open, held := 0, []string{}
	for _, s := range statuses {
		open += len(s.Findings)
		if s.Held != "" {
			held = append(held, s.Model)
		}
	}
	var out []string
	switch open {
	case 0:
		out = append(out, "No finding is open.")
	case 1:
		out = append(out, "1 finding is open.")
	default:
		out = append(out, fmt.Sprintf("%d findings are open.", open))
	}
	for _, s := range statuses {
		if s.Glass != nil {
			out = append(out, s.Model+": "+s.Glass.Text+".")
		}
	}
	if len(held) > 0 {
		out = append(out, "Retraining is held: "+strings.Join(held, ", ")+".")
	}
	return strings.Join(out, " ")
}
