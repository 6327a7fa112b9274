// SPDX-License-Identifier: Apache-2.0

package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// form is what a token looks like.
type form uint8

const (
	end    form = iota
	word        // a name, perhaps with quoted parts: metrics.acc, params.`a b`, adam
	text        // 'x'
	quoted      // "x": a text, or a name
	digits      // -1.5e3
	symbol      // = != < …
	list        // ( … ) whole, with what is inside
	junk        // anything else: one character, or a quote that does not close
)

// token is a piece of the source, and where it begins.
type token struct {
	form form
	raw  string
	at   int // in bytes
}

// lexer cuts a text into tokens, each once: the time is linear, and no token is
// copied.
type lexer struct {
	src string
	pos int
}

// is says whether the token is the keyword, which may be written in any case.
func (t token) is(keyword string) bool { return t.form == word && strings.EqualFold(t.raw, keyword) }

func (l *lexer) next() token {
	l.space()
	start := l.pos
	if start == len(l.src) {
		return token{form: end, at: start}
	}
	f := l.scan()
	return token{form: f, raw: l.src[start:l.pos], at: start}
}

// peek is the token after this place, which stays where it is.
func (l *lexer) peek() token {
	ahead := *l
	return ahead.next()
}

func (l *lexer) space() {
	for l.pos < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		l.pos += n
	}
}

// scan moves behind the token that begins here.
func (l *lexer) scan() form {
	switch c := l.src[l.pos]; c {
	case '\'':
		return l.quote(text)
	case '"', '`':
		if l.quote(quoted) == junk {
			return junk
		}
		if l.at('.') { // `params`.lr
			l.pos++
			l.name()
			return word
		}
		if c == '`' {
			return word
		}
		return quoted
	case '(':
		return l.parens()
	case '=', '<', '>', '!', '~':
		for l.pos < len(l.src) && strings.IndexByte("=<>!~", l.src[l.pos]) >= 0 {
			l.pos++
		}
		return symbol
	case '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return l.number()
	}
	r, n := utf8.DecodeRuneInString(l.src[l.pos:])
	if !inWord(r) {
		l.pos += n
		return junk
	}
	l.name()
	return word
}

// inWord says whether a name without quotes may hold r. Dots join its parts.
func inWord(r rune) bool {
	return r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// name moves behind a bare name, and behind a quoted key that follows its last dot.
func (l *lexer) name() {
	start := l.pos
	for l.pos < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !inWord(r) {
			break
		}
		l.pos += n
	}
	dotted := start == l.pos || l.src[l.pos-1] == '.' // the caller saw the dot of an empty name
	if dotted && (l.at('`') || l.at('"') || l.at('\'')) {
		l.quote(word)
	}
}

func (l *lexer) at(c byte) bool { return l.pos < len(l.src) && l.src[l.pos] == c }

// quote moves behind a quoted text, in which its quote is written twice.
func (l *lexer) quote(f form) form {
	q := l.src[l.pos]
	for l.pos++; l.pos < len(l.src); l.pos++ {
		if l.src[l.pos] != q {
			continue
		}
		if l.pos+1 < len(l.src) && l.src[l.pos+1] == q {
			l.pos++
			continue
		}
		l.pos++
		return f
	}
	return junk
}

// parens moves behind the parenthesis that closes the one here.
func (l *lexer) parens() form {
	depth := 0
	for l.pos < len(l.src) {
		switch l.src[l.pos] {
		case '\'', '"', '`':
			if l.quote(text) == junk {
				return junk
			}
			continue
		case '(':
			depth++
		case ')':
			depth--
		}
		l.pos++
		if depth == 0 {
			return list
		}
	}
	return junk
}

// number moves behind a number, or behind a name that begins like one.
func (l *lexer) number() form {
	start := l.pos
	if l.at('-') {
		l.pos++
	}
	whole := l.digits()
	if l.at('.') {
		l.pos++
		whole += l.digits()
	}
	if whole == 0 {
		l.pos = start + 1
		return junk
	}
	if l.at('e') || l.at('E') {
		mark := l.pos
		l.pos++
		if l.at('-') || l.at('+') {
			l.pos++
		}
		if l.digits() == 0 {
			l.pos = mark
		}
	}
	if r, _ := utf8.DecodeRuneInString(l.src[l.pos:]); inWord(r) {
		l.name()
		return word
	}
	return digits
}

func (l *lexer) digits() int {
	start := l.pos
	for l.pos < len(l.src) && '0' <= l.src[l.pos] && l.src[l.pos] <= '9' {
		l.pos++
	}
	return l.pos - start
}

// unquote is what a token between quotes says; others say themselves.
func unquote(raw string) string {
	if len(raw) < 2 || raw[len(raw)-1] != raw[0] {
		return raw
	}
	switch q := raw[:1]; q {
	case "'", `"`, "`":
		return strings.ReplaceAll(raw[1:len(raw)-1], q+q, q)
	}
	return raw
}
