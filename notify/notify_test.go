// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/fault"
)

// box is an Outbox in memory.
type box struct {
	mu    sync.Mutex
	all   []Message
	next  map[string]time.Time
	ended map[string]string
}

func newBox(ms ...Message) *box {
	b := &box{all: ms, next: map[string]time.Time{}, ended: map[string]string{}}
	for _, m := range ms {
		b.next[m.ID] = m.CreatedAt
	}
	return b
}

func (b *box) ClaimMessages(_ context.Context, now, until time.Time, limit int) (out []Message, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, m := range b.all {
		at, waits := b.next[m.ID]
		if waits && !at.After(now) && len(out) < limit {
			out = append(out, m)
			b.all[i].Tries++
			b.next[m.ID] = until
		}
	}
	return out, nil
}

func (b *box) EndMessage(_ context.Context, id string, _ time.Time, why string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.next, id)
	b.ended[id] = why
	return nil
}

func (b *box) PutOffMessage(_ context.Context, id string, next time.Time, _ string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next[id] = next
	return nil
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func told(way, to string) Message {
	return Message{
		ID: "m1", Address: Address{Way: way, To: to}, Subject: "[flyball] hotel: lead_time moved", Text: "ana,\nläuft <schief> & so",
		Body: json.RawMessage(`{"type":"alert"}`), CreatedAt: noon,
	}
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver notes what is posted, and answers as it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	answer []int // the first, then the next; 204 when there is none
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, req)
		r.bodies = append(r.bodies, string(raw))
		status := http.StatusNoContent
		if len(r.answer) > 0 {
			status, r.answer = r.answer[0], r.answer[1:]
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func sender(t *testing.T, b *box, now *time.Time, c Config) *Sender {
	t.Helper()
	s, err := New(Options{Outbox: b, Config: c, Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The values are those of the specification's own example (standardwebhooks.com).
func TestASignatureIsThatOfTheSpecification(t *testing.T) {
	got := Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAWebhookIsSignedAndTriedUntilItIsTaken(t *testing.T) {
	r := newReceiver(t)
	r.answer = []int{500, 302, 429}
	b, now := newBox(told(Webhook, "")), noon
	s := sender(t, b, &now, Config{Webhook: r.URL + "/hook", Secret: secret, Private: true})
	turn := func(after time.Duration, want int) {
		t.Helper()
		now = now.Add(after)
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.got) != want {
			t.Fatalf("after %v: %d tries, want %d", now.Sub(noon), len(r.got), want)
		}
	}
	turn(0, 1)
	turn(29*time.Second, 1)
	turn(time.Second, 2)
	turn(59*time.Second, 2)
	turn(time.Second, 3) // a redirect was not followed
	turn(2*time.Minute, 4)
	turn(24*time.Hour, 4)
	if why, ended := b.ended["m1"]; !ended || why != "" {
		t.Errorf("got %v", b.ended)
	}
	for i, req := range r.got {
		at, err := strconv.ParseInt(req.Header.Get("webhook-timestamp"), 10, 64)
		if err != nil || time.Since(time.Unix(at, 0)) > time.Minute {
			t.Errorf("the timestamp is %d, %v", at, err)
		}
		if req.URL.Path != "/hook" || req.Header.Get("webhook-id") != "m1" || req.Header.Get("webhook-signature") != Sign(secret, "m1", at, []byte(r.bodies[i])) {
			t.Errorf("try %d: got %s %v", i, req.URL.Path, req.Header)
		}
	}
}

func TestAMessageIsGivenUpAfterADay(t *testing.T) {
	r := newReceiver(t)
	r.answer = slices.Repeat([]int{503}, 1000)
	b, now := newBox(told(Webhook, "")), noon
	s := sender(t, b, &now, Config{Webhook: r.URL, Secret: secret, Private: true})
	for ; now.Before(noon.Add(48 * time.Hour)); now = now.Add(time.Minute) {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if b.ended["m1"] != "the receiver answers 503" || len(r.got) < 25 || len(r.got) > 35 {
		t.Errorf("after %d tries: %v", len(r.got), b.ended)
	}
}

func TestAChatGetsTheTextWithoutMarkup(t *testing.T) {
	r := newReceiver(t)
	b, now := newBox(told(Slack, "")), noon
	if err := sender(t, b, &now, Config{Slack: r.URL, Private: true}).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `{"text":"[flyball] hotel: lead_time moved\nana,\nläuft \u0026lt;schief\u0026gt; \u0026amp; so"}`; len(r.bodies) != 1 || r.bodies[0] != want {
		t.Errorf("got %q", r.bodies)
	}
}

func TestAWayThatIsNoLongerThereWaits(t *testing.T) {
	b, now := newBox(told(Mail, "ana@example.org")), noon
	if err := sender(t, b, &now, Config{}).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !b.next["m1"].Equal(noon.Add(30 * time.Second)) {
		t.Errorf("got %v", b.next)
	}
}

func TestOnlyAddressesOfThePublicNetworkAreDialled(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:443": true,
		"127.0.0.1:80": false, "127.8.8.8:80": false, "0.0.0.0:80": false, "10.1.2.3:80": false, "172.16.0.1:80": false, "192.168.1.1:80": false,
		"169.254.169.254:80": false, "100.64.0.1:80": false, "198.18.0.1:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false,
		"[::1]:80": false, "[::]:80": false, "[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "[fd00::1]:80": false, "[::ffff:127.0.0.1]:80": false,
		"[::ffff:10.0.0.1]:80": false, "[64:ff9b::7f00:1]:80": false, "[2002:7f00:1::]:80": false, "[ff02::1]:80": false, "nonsense": false,
	} {
		if err := public(address); (err == nil) != want {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

func TestANameThatMeansThisMachineIsNotDialled(t *testing.T) {
	r := newReceiver(t)
	port := r.Listener.Addr().(*net.TCPAddr).Port
	for _, host := range []string{"127.0.0.1", "localhost"} {
		p := newPoster(false)
		err := p.post(t.Context(), "http://"+net.JoinHostPort(host, strconv.Itoa(port)), nil, nil)
		if !strings.Contains(err.Error(), "--alert-private") || len(r.got) != 0 {
			t.Errorf("%s: got %v", host, err)
		}
		if _, with := errors.AsType[*url.Error](err); with {
			t.Errorf("the address is told: %v", err)
		}
	}
}

func TestAConfigurationThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Config
		ok   bool
	}{
		{"nothing", Config{}, true},
		{"a webhook", Config{Webhook: "https://example.org/x", Secret: secret}, true},
		{"without a secret", Config{Webhook: "https://example.org/x"}, false},
		{"a short secret", Config{Webhook: "https://example.org/x", Secret: "short"}, false},
		{"without TLS", Config{Webhook: "http://example.org/x", Secret: secret}, false},
		{"without TLS inside", Config{Webhook: "http://example.org/x", Secret: secret, Private: true}, true},
		{"no address", Config{Slack: "hooks"}, false},
		{"another protocol", Config{Slack: "file:///etc/passwd", Private: true}, false},
		{"mail", Config{SMTP: "mail.example.org:587", From: "flyball@example.org"}, true},
		{"mail from nobody", Config{SMTP: "mail.example.org:587"}, false},
		{"mail from a header", Config{SMTP: "mail.example.org:587", From: "a@b\r\nBcc: c@d"}, false},
		{"no port", Config{SMTP: "mail.example.org", From: "flyball@example.org"}, false},
	} {
		if err := c.c.Check(); (err == nil) != c.ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// office is a mail server that takes one letter.
type office struct {
	net.Listener
	starttls *tls.Config // nil: it offers none
	said     []string
	letter   string
}

func newOffice(t *testing.T, starttls *tls.Config) (*office, chan struct{}) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &office{Listener: l, starttls: starttls}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			o.serve(conn)
		}
	}()
	return o, done
}

func (o *office) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 office")
	secure := false
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		o.said = append(o.said, line)
		switch word := strings.ToUpper(strings.Fields(line + " x")[0]); word {
		case "EHLO":
			if o.starttls != nil && !secure {
				say("250-office")
				say("250 STARTTLS")
			} else {
				say("250-office")
				say("250 AUTH PLAIN")
			}
		case "STARTTLS":
			say("220 go on")
			over := tls.Server(conn, o.starttls)
			conn, in, secure = over, bufio.NewReader(over), true
		case "AUTH":
			say("235 welcome")
		case "DATA":
			say("354 write")
			var b strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil || l == ".\r\n" {
					break
				}
				b.WriteString(l)
			}
			o.letter = b.String()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestAMailGoesOverTLSAndReadsAsItWasWritten(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	o, done := newOffice(t, &tls.Config{Certificates: web.TLS.Certificates})
	b, now := newBox(told(Mail, "bo@example.org")), noon
	s := sender(t, b, &now, Config{SMTP: o.Addr().String(), From: "flyball@example.org", Password: "secret", Certificates: &tls.Config{RootCAs: roots}})
	if err := s.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	if why, ended := b.ended["m1"]; !ended || why != "" {
		t.Fatalf("it was not sent: %v", o.said)
	}
	m, err := mail.ReadMessage(strings.NewReader(o.letter))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("To") != "bo@example.org" || m.Header.Get("Subject") != "[flyball] hotel: lead_time moved" || m.Header.Get("Message-ID") != "<m1@example.org>" {
		t.Errorf("got %v", m.Header)
	}
	raw, err := io.ReadAll(m.Body)
	if err != nil || !strings.Contains(string(raw), "ana,\r\nl=C3=A4uft <schief> & so") {
		t.Errorf("got %q, %v", raw, err)
	}
	if said := strings.Join(o.said, "\n"); !strings.Contains(said, "STARTTLS") || !strings.Contains(said, "AUTH PLAIN") || !strings.Contains(said, "RCPT TO:<bo@example.org>") {
		t.Errorf("got %s", said)
	}
}

func TestAPasswordIsNotSentInTheClear(t *testing.T) {
	o, done := newOffice(t, nil)
	b, now := newBox(told(Mail, "bo@example.org")), noon
	if err := sender(t, b, &now, Config{SMTP: o.Addr().String(), From: "flyball@example.org", Password: "secret"}).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	if len(b.ended) != 0 || strings.Contains(strings.Join(o.said, "\n"), "AUTH") {
		t.Errorf("got %v", o.said)
	}
}

func TestAMailToAForeignCertificateIsNotSent(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	o, done := newOffice(t, &tls.Config{Certificates: web.TLS.Certificates})
	b, now := newBox(told(Mail, "bo@example.org")), noon
	if err := sender(t, b, &now, Config{SMTP: o.Addr().String(), From: "flyball@example.org"}).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	if len(b.ended) != 0 || o.letter != "" {
		t.Errorf("got %v", b.ended)
	}
}

func TestNoHeaderComesOutOfWhatAModelIsCalled(t *testing.T) {
	p := newPostOffice(Config{SMTP: "mail.example.org:587", From: "flyball@example.org"})
	m := told(Mail, "bo@example.org")
	m.Subject = "hotel\r\nBcc: all@example.org"
	got, err := mail.ReadMessage(strings.NewReader(string(p.letter(m))))
	if err != nil || got.Header.Get("Bcc") != "" || got.Header.Get("Subject") != "hotel Bcc: all@example.org" {
		t.Errorf("got %v, %v", got, err)
	}
}
