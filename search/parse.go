// SPDX-License-Identifier: Apache-2.0

package search

import (
	"strings"

	"flyball/fault"
)

// clause is a comparison as it is written, before anybody asks whether its subject
// knows such a key.
type clause struct {
	left, value token
	op          string // in capitals, with one space between words
}

// parser reads filters:
//
//	filter     = { AND } [ comparison { AND { AND } comparison } ] { AND }
//	comparison = name op value | name [NOT] IN list | name IS [NOT] NULL
//
// An AND too many does no harm: programs join conditions that may be empty.
type parser struct {
	lexer
	of *subject
}

func (p *parser) filter() ([]clause, error) {
	var all []clause
	for {
		from := p.pos
		first := p.next()
		switch {
		case first.form == end:
			return all, nil
		case first.is("AND"):
			continue
		}
		c, err := p.comparison(first, from)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if after := p.peek(); after.form != end && !after.is("AND") {
			return nil, p.of.junk(p.src, []token{after})
		}
	}
}

// comparison reads what begins with first; from is the place before it.
func (p *parser) comparison(first token, from int) (clause, error) {
	switch {
	case first.is("NOT"), first.is("OR"), first.form == list, first.form == junk:
		return clause{}, p.of.junk(p.src, []token{first})
	case first.form == word, first.form == quoted:
	case p.peek().form == symbol:
		return clause{}, fault.New(fault.Invalid, "Invalid comparison clause. Expected 'Identifier' found '%s'", clip(first.raw))
	}
	c := clause{left: first}
	if op := p.operator(); op != "" {
		c.op = op
		if c.null() {
			return c, nil
		}
		c.value = p.next()
		if c.complete() {
			return c, nil
		}
	}
	p.pos = from
	return clause{}, p.of.junk(p.src, p.clause())
}

// complete says whether the value is one that may stand behind the operator at all.
func (c clause) complete() bool {
	switch c.value.form {
	case list:
		return true
	case text, quoted, digits, word:
		return c.op != "IN" && c.op != "NOT IN" && !c.value.is("AND")
	}
	return false
}

// operator reads an operator; empty: there is none here.
func (p *parser) operator() string {
	t := p.next()
	switch {
	case t.form == symbol:
		return t.raw
	case t.is("LIKE"), t.is("ILIKE"), t.is("RLIKE"), t.is("IN"):
		return strings.ToUpper(t.raw)
	case t.is("IS"):
		t = p.next()
		if t.is("NULL") {
			return "IS NULL"
		}
		if t.is("NOT") && p.next().is("NULL") {
			return "IS NOT NULL"
		}
	case t.is("NOT"):
		if t = p.next(); t.is("IN") || t.is("LIKE") || t.is("ILIKE") || t.is("RLIKE") {
			return "NOT " + strings.ToUpper(t.raw)
		}
	}
	return ""
}

// clause are the tokens up to the next AND, or the first few of them.
func (p *parser) clause() []token {
	var all []token
	for len(all) < 8 {
		t := p.next()
		if t.form == end || t.is("AND") {
			break
		}
		all = append(all, t)
	}
	return all
}

// texts reads a list: texts between commas; a comma may follow the last.
func (p *parser) texts(whole token) ([]string, error) {
	l := lexer{src: whole.raw[1 : len(whole.raw)-1]}
	var out []string
	for {
		t := l.next()
		switch t.form {
		case end:
			if out == nil {
				return nil, fault.New(fault.Invalid, "While parsing a list in the query, expected a non-empty list of string values, but got empty list")
			}
			return out, nil
		case text, quoted:
			out = append(out, unquote(t.raw))
		default:
			return nil, fault.New(fault.Invalid, "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: %s", clip(whole.raw))
		}
		if t = l.next(); t.form != end && t.raw != "," {
			return nil, fault.New(fault.Invalid, "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.")
		}
	}
}

// split cuts a name into what stands before its first dot and the key behind it;
// without a dot there is no entity. ok: there is a key, written one way.
func split(name string) (entity, key string, dotted, ok bool) {
	at := strings.IndexByte(name, '.')
	if name != "" && (name[0] == '`' || name[0] == '"') {
		l := lexer{src: name}
		l.quote(word)
		at = l.pos
		if at == len(name) {
			at = -1
		}
	}
	if at >= 0 {
		entity, name, dotted = unquote(name[:at]), name[at+1:], true
	}
	if strings.HasPrefix(name, "`") || strings.HasPrefix(name, `"`) || strings.HasPrefix(name, "'") {
		name = unquote(name)
		return entity, name, dotted, name != ""
	}
	return entity, name, dotted, name != "" && !strings.ContainsAny(name, "`\"'")
}

// clip keeps what is told back from becoming as long as what was sent.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
