// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"time"

	"flyball/fault"
)

// Config says where messages go. The zero Config sends nothing.
type Config struct {
	Webhook string // an address that gets JSON; empty: none
	Secret  string // by which it is signed: 16 bytes at least
	Events  string // an address that gets what happens to models, signed by the same secret; empty: none
	Slack   string // the address of a chat's hook, which is a secret; empty: none
	Private bool   // they may lie outside of the public network, and speak HTTP without TLS

	SMTP         string      // host:port of the server that takes mails; empty: none
	From         string      // the address mails come from
	User         string      // to sign in with there; empty: From
	Password     string      // empty: without signing in
	Certificates *tls.Config // what the mail server's certificate must hold against; nil: as the machine does
}

// Ways are those by which the configuration sends alerts.
func (c Config) Ways() []string {
	var out []string
	for _, x := range [][2]string{{Webhook, c.Webhook}, {Slack, c.Slack}, {Mail, c.SMTP}} {
		if x[1] != "" {
			out = append(out, x[0])
		}
	}
	return out
}

// Check says whether messages can be sent so; the error is an Invalid fault.
func (c Config) Check() error {
	if c.Webhook+c.Events != "" && len(key(c.Secret)) < 16 {
		return fault.New(fault.Invalid, "the webhook has no secret of 16 bytes by which it is signed").
			Do("set FLYBALL_WEBHOOK_SECRET, and tell it to the receiver")
	}
	for what, text := range map[string]string{"the webhook": c.Webhook, "the subscriber": c.Events, "the chat's hook": c.Slack} {
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return fault.New(fault.Invalid, "the address of %s cannot be read", what).Do("write it as https://host/path")
		case u.Scheme == "http" && !c.Private:
			return fault.New(fault.Invalid, "%s would go over the network as it is", what).Do("use https, or --alert-private inside of your own network")
		}
	}
	if c.SMTP == "" {
		return nil
	}
	if host, port, err := net.SplitHostPort(c.SMTP); err != nil || host == "" || port == "" {
		return fault.New(fault.Invalid, "%q is no mail server", c.SMTP).Do("write host:port, such as mail.example.org:587")
	}
	if a, err := mail.ParseAddress(c.From); err != nil || a.Address != c.From {
		return fault.New(fault.Invalid, "%q is no address that mails can come from", c.From).Do("say --mail-from flyball@example.org")
	}
	return nil
}

// New makes a sender that does not send yet. A configuration that cannot be is an Invalid
// fault.
func New(o Options) (*Sender, error) {
	c := o.Config
	if err := c.Check(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sender{opts: o, ways: map[string]func(context.Context, Message) error{}}
	p := newPoster(c.Private)
	if c.Webhook != "" {
		s.ways[Webhook] = p.webhook(c.Webhook, c.Secret)
	}
	if c.Events != "" {
		s.ways[Events] = p.webhook(c.Events, c.Secret)
	}
	if c.Slack != "" {
		s.ways[Slack] = p.slack(c.Slack)
	}
	if c.SMTP != "" {
		s.ways[Mail] = newPostOffice(c).mail
	}
	return s, nil
}

func newPostOffice(c Config) *postOffice {
	host, _, _ := net.SplitHostPort(c.SMTP) // checked
	p := &postOffice{server: c.SMTP, host: host, from: c.From, user: c.User, password: c.Password, now: time.Now}
	if p.user == "" {
		p.user = c.From
	}
	p.tls = &tls.Config{}
	if c.Certificates != nil {
		p.tls = c.Certificates.Clone()
	}
	p.tls.ServerName = host
	return p
}
