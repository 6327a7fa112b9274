// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/url"
	"testing"
	"time"
)

func TestAPageOfThePastKeepsItsMomentAndLosesWhatChangesAnything(t *testing.T) {
	at := time.Date(2017, 3, 7, 9, 0, 0, 0, time.UTC)
	here, err := url.Parse("/release?as-of=2017-03-07T09%3A00&model=hotel")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, page, want string }{
		{"the body", `<body data-stream="/stream?page=x">`, `<body class="asof">`},
		{"a page", `<a href="/model?model=hotel&amp;version=7">v7</a>`, `<a href="/model?as-of=2017-03-07T09%3A00%3A00Z&amp;model=hotel&amp;version=7">v7</a>`},
		{"the first page", `<a class="brand" href="/">Flyball</a>`, `<a class="brand" href="/?as-of=2017-03-07T09%3A00%3A00Z">Flyball</a>`},
		{"this page sorted", `<a href="?sort=at#rows">at</a>`, `<a href="?as-of=2017-03-07T09%3A00%3A00Z&amp;sort=at#rows">at</a>`},
		{"a place on this page", `<a href="#main">on</a>`, `<a href="#main">on</a>`},
		{"another server", `<a href="https://example.org/x">x</a>`, `<a href="https://example.org/x">x</a>`},
		{"the command", `<code id="cmd">flyball releases hotel</code>`, `<code id="cmd">flyball releases hotel --as-of 2017-03-07T09:00:00Z</code>`},
		{"other code", `<code>flyball releases hotel</code>`, `<code>flyball releases hotel</code>`},
		{"a form that asks", `<form action="/runs"><input name="q"></form>`, `<form action="/runs"><input type="hidden" name="as-of" value="2017-03-07T09:00:00Z"><input name="q"></form>`},
		{"a form that changes something", `<td><form method="post" action="/inbox/take"><button>Take</button></form></td>`, `<td></td>`},
		{"what opens one", `<p><details class="confirm wide"><summary>Roll back</summary><details><summary>x</summary></details><form method="post"></form></details></p>`, `<p></p>`},
		{"other details", `<details class="data"><summary>Data</summary></details>`, `<details class="data"><summary>Data</summary></details>`},
		{"the strip", `<main class="page">`, `<div class="strip" role="status"><b>As it was on <time datetime="2017-03-07T09:00:00Z">7 Mar 2017, 09:00:00 UTC</time>.</b> Read-only. <a href="/release?model=hotel">Back to now</a></div>` + "\n" + `<main class="page">`},
		{"drawings", `<svg viewBox="0 0 1 1"><use href="#g-warn"/><linearGradient id="g"/></svg><!-- c -->&amp;`, `<svg viewBox="0 0 1 1"><use href="#g-warn"/><linearGradient id="g"/></svg><!-- c -->&amp;`},
	} {
		if got := string(ofThePast([]byte(c.page), at, here)); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}
