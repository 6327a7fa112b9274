// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// reader is a person before a browser: they see what is written, and press what is
// named. What no page may do (a request to another machine, an error of a script, what
// the policy of the page forbids) fails the test by itself.
type reader struct {
	t      testing.TB
	ctx    context.Context
	base   string
	clicks int // since begin

	mu    sync.Mutex
	wrong []string // what no page may do
}

// chromium is the path of a Chromium or Chrome.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium: scripts/setup.sh installs it as root")
	return ""
}

// browses opens a browser of its own, with nothing in it, before the server at base.
func browses(t testing.TB, base string) *reader {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 1000),
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 { // it refuses to start as root with its sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, ended := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closed := chromedp.NewContext(allocator)
	r := &reader{t: t, ctx: ctx, base: base}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // it waits for the browser's end
		closed()
		ended()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, w := range r.wrong {
			t.Error(w)
		}
	})
	if err := chromedp.Listen(ctx, r.watch); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	call(r, network.Enable, network.EnableParams{})
	call(r, log.Enable, cdp.Empty{})
	return r
}

// call asks the browser by a command of its protocol.
func call[P, R any](r *reader, command cdp.Command[P, R], params P) R {
	r.t.Helper()
	out, err := chromedp.Call(r.ctx, command, params)
	if err != nil {
		r.t.Fatalf("%s: %v", command.Method, err)
	}
	return out
}

// watch keeps what no page may do.
func (r *reader) watch(ev any) {
	var wrong string
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(ev.Request.URL)
		if own := err == nil && "http://"+u.Host == r.base; !own && u.Scheme != "data" && u.Scheme != "about" && u.Scheme != "file" {
			wrong = fmt.Sprintf("the page %s asks %s", ev.DocumentURL, ev.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		wrong = "a script fails: " + ev.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError && ev.Entry.Source != log.EntrySourceNetwork { // an answer of 403 is a page's right
			wrong = fmt.Sprintf("the browser says of %s: %s", ev.Entry.URL, ev.Entry.Text)
		}
	}
	if wrong != "" {
		r.mu.Lock()
		r.wrong = append(r.wrong, wrong)
		r.mu.Unlock()
	}
}

// do acts on the page, within a minute.
func (r *reader) do(what string, action chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		r.t.Fatalf("%s: %v\non %s", what, err, r.page())
	}
}

// until asks the page again and again for what an expression says, also while it goes
// from one page to the next, until there is something.
func until[T any](r *reader, what, expression string) (out T) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
	defer cancel()
	for {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[*T](expression))
		if err == nil && found != nil {
			return *found
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			r.t.Fatalf("%s: %v\non %s", what, err, r.page())
		}
	}
}

// page is where the reader is and what is written there, for a failure's text.
func (r *reader) page() string {
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 4000)`))
	if err != nil {
		return err.Error()
	}
	return out
}

// opens goes to an address, as from a bookmark or a mail: no click.
func (r *reader) opens(path string) {
	r.t.Helper()
	r.do("open "+path, chromedp.Navigate(r.base+path))
}

// named finds what is seen under a name: of what begins with it, the shortest.
const named = `const named = (name, kinds) => [...document.querySelectorAll(kinds)]
	.filter((e) => e.checkVisibility())
	.map((e) => [e, (e.getAttribute("aria-label") || e.innerText || e.value || "").replace(/\s+/g, " ").trim()])
	.filter(([, n]) => n.startsWith(name)).sort((a, b) => a[1].length - b[1].length)[0]?.[0];`

// presses clicks a link, a button or a fold by its name, and counts it.
func (r *reader) presses(name string) {
	r.t.Helper()
	at := until[[]float64](r, "press "+name, fmt.Sprintf(`(() => { %s
		const e = named(%s, "a, button, summary, label, input[type=checkbox]"); if (!e) return null;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const b = e.getClientRects()[0]; return [b.x + b.width / 2, b.y + b.height / 2]; })()`, named, quoted(name)))
	r.do("press "+name, chromedp.MouseClickXY(at[0], at[1]))
	r.clicks++
}

// types writes into the field of a label; with \r at the end it presses Enter.
func (r *reader) types(label, text string) {
	r.t.Helper()
	until[bool](r, "the field "+label, fmt.Sprintf(`(() => { %s
		const e = named(%s, "label")?.control ?? named(%s, "input, textarea"); if (!e) return null;
		e.focus(); e.select?.(); return true; })()`, named, quoted(label), quoted(label)))
	before := r.born()
	r.do("type into "+label, chromedp.KeyEvent(text))
	if strings.HasSuffix(text, "\r") {
		until[bool](r, "the next page", fmt.Sprintf(`performance.timeOrigin !== %v || null`, before))
	}
}

// born is when the page, which is whole, began to load: by that one is told from the next.
func (r *reader) born() string {
	r.t.Helper()
	return until[string](r, "the page", `document.readyState === "complete" ? String(performance.timeOrigin) : null`)
}

// key presses keys on the page.
func (r *reader) key(keys string) {
	r.t.Helper()
	r.do("the key "+keys, chromedp.KeyEvent(keys))
}

// reads waits until the page says each of the texts, seen by the eye.
func (r *reader) reads(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		until[bool](r, fmt.Sprintf("read %q", text), fmt.Sprintf(`document.body?.innerText.replace(/\s+/g, " ").toLowerCase().includes(%s) || null`, quoted(strings.ToLower(text))))
	}
}

// heading is the sentence that the page begins with.
func (r *reader) heading() string {
	r.t.Helper()
	return until[string](r, "the heading", `document.querySelector("h1")?.innerText ?? null`)
}

// signsIn goes through the login.
func (r *reader) signsIn(name, password string) {
	r.t.Helper()
	r.opens("/login")
	r.types("Name", name)
	r.types("Password", password+"\r")
	until[bool](r, "sign in", `location.pathname !== "/login" || null`)
}

// wears sets the theme of the reader's system and the width of the window.
func (r *reader) wears(theme string, width int64) {
	r.t.Helper()
	call(r, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
	r.do("wear "+theme, chromedp.EmulateViewport(width, 1000))
}

// network is how good the reader's line is.
func (r *reader) network(c network.Conditions) {
	r.t.Helper()
	call(r, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{&c}})
}

// quoted is a text as a literal of JavaScript.
func quoted(s string) string {
	raw, _ := json.Marshal(s) // a text
	return string(raw)
}
