// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"flyball/api"
)

// ofThePast is a page as it looks in the past: in a frame, under a strip that says of when
// it is, with that moment in each link and in each form that only asks, and without what
// changes anything: forms that post, what opens them, and the stream. It is done to the
// finished page, so no template can forget it.
func ofThePast(page []byte, at time.Time, here *url.URL) []byte {
	p := pastPage{in: html.NewTokenizer(bytes.NewReader(page)), at: at.UTC().Format(time.RFC3339Nano), here: here}
	for {
		kind := p.in.Next()
		if kind == html.ErrorToken { // the end: a page in memory has no other
			return p.out.Bytes()
		}
		raw := slices.Clone(p.in.Raw()) // reading the token changes it
		p.token(kind, p.in.Token(), raw)
	}
}

// pastPage is a page on its way into the past.
type pastPage struct {
	in      *html.Tokenizer
	out     bytes.Buffer
	at      string
	here    *url.URL
	left    string // the element that is left out; empty: none
	depth   int    // of elements of that name in it
	command bool   // the text of the command is next
}

func (p *pastPage) token(kind html.TokenType, t html.Token, raw []byte) {
	if p.left != "" {
		switch {
		case kind == html.StartTagToken && t.Data == p.left:
			p.depth++
		case kind == html.EndTagToken && t.Data == p.left:
			p.depth--
		}
		if p.depth == 0 {
			p.left = ""
		}
		return
	}
	switch {
	case kind == html.TextToken && p.command:
		p.command = false
		p.out.Write(raw)
		p.out.WriteString(" --as-of " + html.EscapeString(p.at))
	case kind == html.StartTagToken:
		p.start(t, raw)
	default:
		p.out.Write(raw)
	}
}

func (p *pastPage) start(t html.Token, raw []byte) {
	switch t.Data {
	case "body":
		t.Attr = slices.DeleteFunc(t.Attr, func(a html.Attribute) bool { return a.Key == "data-stream" })
		t.Attr = append(t.Attr, html.Attribute{Key: "class", Val: "asof"})
		p.out.WriteString(t.String())
	case "main":
		p.strip()
		p.out.Write(raw)
	case "a":
		for i, a := range t.Attr {
			if a.Key == "href" {
				t.Attr[i].Val = p.link(a.Val)
			}
		}
		p.out.WriteString(t.String())
	case "form":
		if strings.EqualFold(attr(t, "method"), "post") {
			p.left, p.depth = t.Data, 1
			return
		}
		p.out.Write(raw)
		fmt.Fprintf(&p.out, `<input type="hidden" name="%s" value="%s">`, api.PageAsOf, html.EscapeString(p.at))
	case "details":
		if slices.Contains(strings.Fields(attr(t, "class")), "confirm") {
			p.left, p.depth = t.Data, 1
			return
		}
		p.out.Write(raw)
	case "code":
		p.command = attr(t, "id") == "cmd"
		p.out.Write(raw)
	default:
		p.out.Write(raw)
	}
}

// strip says of when the page is, and leads back.
func (p *pastPage) strip() {
	now := *p.here
	q := now.Query()
	q.Del(api.PageAsOf)
	q.Del(api.AsOf)
	now.RawQuery = q.Encode()
	when := p.at
	if t, err := time.Parse(time.RFC3339Nano, p.at); err == nil {
		when = t.Format("2 Jan 2006, 15:04:05") + " UTC"
	}
	fmt.Fprintf(&p.out, `<div class="strip" role="status"><b>As it was on <time datetime="%s">%s</time>.</b> Read-only. <a href="%s">Back to now</a></div>`+"\n",
		html.EscapeString(p.at), when, html.EscapeString(now.RequestURI()))
}

// link is the address of a page with the moment in it; any other address stays.
func (p *pastPage) link(href string) string {
	u, err := url.Parse(href)
	if err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(href, "#") || href == "" || strings.HasPrefix(u.Path, "/static/") {
		return href
	}
	q := u.Query()
	q.Set(api.PageAsOf, p.at)
	u.RawQuery = q.Encode()
	return u.String()
}

// attr is the value of an attribute; empty: it has none.
func attr(t html.Token, key string) string {
	for _, a := range t.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
