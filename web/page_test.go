// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// part is an element of a page, with what it holds.
type part struct {
	name  string
	attrs map[string]string
	text  strings.Builder
	kids  []*part
	up    *part
}

// within reports whether an element of that name holds this one.
func (p *part) within(name string) bool {
	for ; p != nil; p = p.up {
		if p.name == name {
			return true
		}
	}
	return false
}

// all are the elements of a page, in their order.
func (p *part) all() []*part {
	out := []*part{p}
	for _, k := range p.kids {
		out = append(out, k.all()...)
	}
	return out
}

// words are what an element says, to the eye or to the ear.
func (p *part) words() string {
	out := p.text.String() + p.attrs["aria-label"]
	for _, k := range p.kids {
		out += k.words()
	}
	return strings.TrimSpace(out)
}

// parse reads a page more strictly than a browser: everything that is opened is closed,
// in its order.
func parse(page string) (*part, error) {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity, d.Strict = xml.HTMLEntity, false // attributes may have no value
	root := &part{}
	at := root
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) && at == root {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch x := token.(type) {
		case xml.StartElement:
			next := &part{name: x.Name.Local, attrs: map[string]string{}, up: at}
			for _, a := range x.Attr {
				next.attrs[a.Name.Local] = a.Value
			}
			at.kids = append(at.kids, next)
			if !slices.Contains([]string{"meta", "link", "input", "option"}, next.name) {
				at = next
			}
		case xml.EndElement:
			if x.Name.Local == "option" { // which need not be closed
				continue
			}
			if at.name != x.Name.Local {
				return nil, errors.New("</" + x.Name.Local + "> closes <" + at.name + ">")
			}
			at = at.up
		case xml.CharData:
			at.text.Write(x)
		}
	}
}

// wellFormed checks what everybody needs to read a page, with eyes or without: that
// everything is closed and has a name, and that nothing names what is not there.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	root, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := root.all()
	ids, labels := map[string]bool{}, map[string]bool{}
	for _, p := range parts {
		if id := p.attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("the id %s is there twice", id)
			}
			ids[id] = true
		}
		if p.name == "label" {
			labels[p.attrs["for"]] = true
		}
	}
	heading := 0
	for _, p := range parts {
		named(t, p, labels)
		for _, list := range []string{p.attrs["aria-labelledby"], p.attrs["aria-describedby"], strings.TrimPrefix(p.attrs["href"], "#"), p.attrs["list"]} {
			if list == p.attrs["href"] { // leads elsewhere
				continue
			}
			for id := range strings.FieldsSeq(list) {
				if !ids[id] {
					t.Errorf("<%s> names %s, which is not there", p.name, id)
				}
			}
		}
		if !p.within("main") || len(p.name) != 2 || p.name[0] != 'h' || p.name[1] < '1' || p.name[1] > '6' {
			continue
		}
		if level := int(p.name[1] - '0'); level > heading+1 || level == 1 && heading != 0 {
			t.Errorf("<%s>%s follows a heading of level %d", p.name, p.words(), heading)
		} else {
			heading = level
		}
	}
	if heading == 0 {
		t.Error("the page has no heading")
	}
}

func TestAPageThatIsNotWellFormedIsNoticed(t *testing.T) {
	for _, page := range []string{"<p><b>x</p></b>", "<p>", "</p>", "<table><tr></table></tr>"} {
		if _, err := parse(page); err == nil {
			t.Errorf("%s was read", page)
		}
	}
	root, err := parse("<main><h1>x <b>y</b></h1><input type=checkbox checked><a href=\"/\" aria-label=\"z\"></a></main>")
	if err != nil {
		t.Fatal(err)
	}
	if got := root.kids[0].kids; len(got) != 3 || got[0].words() != "x y" || got[2].words() != "z" || !got[1].within("main") || got[1].within("label") {
		t.Errorf("got %d parts, %q and %q", len(got), got[0].words(), got[2].words())
	}
}

// named checks that an element says what it is.
func named(t *testing.T, p *part, labels map[string]bool) {
	t.Helper()
	has := func(name string) bool {
		return slices.ContainsFunc(p.kids, func(k *part) bool { return k.name == name && k.words() != "" })
	}
	switch p.name {
	case "a", "button", "th", "summary", "h1", "h2", "h3", "figcaption", "label":
		if p.words() == "" {
			t.Errorf("<%s %v> says nothing", p.name, p.attrs)
		}
	case "table":
		if !has("caption") && p.attrs["aria-label"] == "" {
			t.Errorf("a table has no name: %.80s", p.words())
		}
	case "input":
		if p.attrs["type"] != "hidden" && p.attrs["aria-label"] == "" && !labels[p.attrs["id"]] && !p.within("label") {
			t.Errorf("an input has no label: %v", p.attrs)
		}
	case "svg":
		if p.attrs["aria-hidden"] != "true" && (!has("title") || !has("desc")) {
			t.Error("a drawing has no title or says nothing")
		}
	}
	if p.name == "th" && p.attrs["scope"] == "" {
		t.Errorf("the head %q has no scope", p.words())
	}
	if p.attrs["tabindex"] == "0" && (p.attrs["aria-label"] == "" || p.attrs["role"] == "") {
		t.Errorf("<%s> takes the focus and has no name", p.name)
	}
}
