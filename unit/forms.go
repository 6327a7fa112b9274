// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"flyball/fault"
)

// Forms are the ways in which a value may be written: as a word or number, as a list,
// as a mapping. A nil field means that the form is not allowed. A reader fills what
// List or Map points at, or calls Word or Entry, and then Done.
type Forms struct {
	Word  func(text string) error       // a text, or a number or boolean in its text
	List  any                           // pointer to a slice
	Map   any                           // pointer to a struct, strict in its keys
	Entry func(key string) (any, error) // a mapping whose keys are the user's, in their order: where to put the value
	Done  func(form Form) (err error)   // takes over what was read; nil: nothing to do
	Words []string                      // examples of the word, for messages and the schema
}

// Form says which of the forms was read.
type Form byte

// The forms.
const (
	AsWord Form = iota + 1
	AsList
	AsMap
)

// Choice is a value with more than one written form.
type Choice interface {
	Forms() Forms
}

// ReadJSON fills a Choice from JSON; it is the body of its UnmarshalJSON. Unknown
// keys are errors. null changes nothing.
func ReadJSON(b []byte, f Forms) error {
	b = bytes.TrimSpace(b)
	if bytes.Equal(b, []byte("null")) || len(b) == 0 {
		return nil
	}
	form, err := f.readJSON(b)
	if err != nil || f.Done == nil {
		return err
	}
	return f.Done(form)
}

func (f Forms) readJSON(b []byte) (Form, error) {
	switch {
	case b[0] == '[' && f.List != nil:
		return AsList, Strict(b, f.List)
	case b[0] == '{' && f.Map != nil:
		return AsMap, Strict(b, f.Map)
	case b[0] == '{' && f.Entry != nil:
		return AsMap, f.entries(b)
	case b[0] != '[' && b[0] != '{' && f.Word != nil:
		text := string(b)
		if b[0] == '"' {
			if err := json.Unmarshal(b, &text); err != nil {
				return 0, err
			}
		}
		return AsWord, f.Word(text)
	}
	return 0, fault.New(fault.Invalid, "a value has the wrong form").Do("%s", f.Want())
}

func (f Forms) entries(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return errors.New("a key is not a text")
		}
		to, err := f.Entry(name)
		if err != nil {
			return err
		}
		if err := d.Decode(to); err != nil {
			return err
		}
	}
	return nil
}

// Want says which forms are allowed, as advice: "write a word such as all, or a list".
func (f Forms) Want() string {
	text := ""
	add := func(s string) {
		if text == "" {
			text = "write " + s
		} else {
			text += ", or " + s
		}
	}
	if f.Word != nil && len(f.Words) > 0 {
		add(f.Words[0])
		for _, w := range f.Words[1:] {
			add(w)
		}
	} else if f.Word != nil {
		add("a text")
	}
	if f.List != nil {
		add("a list")
	}
	if f.Map != nil || f.Entry != nil {
		add("a mapping")
	}
	return text
}

// Strict decodes JSON into what v points at; unknown keys and anything after the
// value are errors.
func Strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the value")
	}
	return nil
}

// OneOf is nil where text is one of the words, else an Invalid fault that names the
// nearest.
func OneOf(text string, words ...string) error {
	if slices.Contains(words, text) {
		return nil
	}
	e := fault.New(fault.Invalid, "%q is not known here", text).Do("write %s", List(words))
	if near := Nearest(text, words); near != "" {
		e = e.Do("did you mean %q?", near)
	}
	return e
}

// List puts words in a row: "a, b or c".
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Nearest is the word that text was most likely meant to be: the one with the fewest
// edits (Levenshtein, case aside), at most a third of the text's length and one; ""
// when none is near.
func Nearest(text string, words []string) string {
	best, fewest := "", 2+len(text)/3
	for _, w := range words {
		if d := edits(strings.ToLower(text), strings.ToLower(w)); d < fewest {
			best, fewest = w, d
		}
	}
	return best
}

// edits is the Levenshtein distance; beyond 64 bytes it says far.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1 << 10
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
