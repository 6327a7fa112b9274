// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"flyball/event"
)

// Events is the way of what happens to models: JSON to one subscriber, signed as alerts
// are. Nobody is told of alerts by it.
const Events = "events"

// Lifecycle reports whether an event is of the life of a model: a version was trained,
// judged, brought in or made again, a release moved, or something was found.
func Lifecycle(e event.Event) bool {
	return e.Model != "" && slices.Contains([]string{
		"training", "trained", "gate", "import", "reproduced", "release", "floor", "drift", "score", "quality", "skew", "unusual", "groups", "incident",
	}, e.Kind)
}

// happened is the body of a message that tells an event.
type happened struct {
	Type  string      `json:"type"` // event
	Event event.Event `json:"event"`
}

// Event is the message that tells an event. Its figures, among which may be examples of
// rows, are left out.
func Event(e event.Event, now time.Time) (Message, error) {
	e.Data = nil
	body, err := json.Marshal(happened{"event", e})
	if err != nil {
		return Message{}, fmt.Errorf("encode event %d: %w", e.Seq, err)
	}
	return Message{
		ID: ID("event", strconv.FormatInt(e.Seq, 10)), Address: Address{Way: Events}, Subject: "Flyball: " + e.Model, Text: e.Text, Body: body, CreatedAt: now,
	}, nil
}

// Tells is the event that a message tells; false when it tells none.
func (m Message) Tells() (event.Event, bool) {
	var h happened
	ok := m.Way == Events && json.Unmarshal(m.Body, &h) == nil && h.Type == "event"
	return h.Event, ok
}
