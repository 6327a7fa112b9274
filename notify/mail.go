// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"strings"
	"time"

	"flyball/fault"
)

// postOffice hands mails to one SMTP server.
type postOffice struct {
	server, host   string
	from           string
	user, password string
	tls            *tls.Config
	now            func() time.Time
}

// mail sends a message to its address: over TLS from the start at port 465, else by
// STARTTLS where the server offers it. A password is never sent in the clear.
func (p *postOffice) mail(ctx context.Context, m Message) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.server)
	if err != nil {
		return err
	}
	defer conn.Close()
	end := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer end()
	if _, port, _ := net.SplitHostPort(p.server); port == "465" {
		conn = tls.Client(conn, p.tls)
	}
	c, err := smtp.NewClient(conn, p.host)
	if err != nil {
		return err
	}
	defer c.Close()
	_, over := c.TLSConnectionState()
	if offers, _ := c.Extension("STARTTLS"); offers && !over {
		if err := c.StartTLS(p.tls); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the mail server's certificate does not hold")
		}
		over = true
	}
	if p.password != "" {
		if !over {
			return fault.New(fault.Denied, "the mail server %s offers no TLS, and a password is not sent in the clear", p.server)
		}
		if err := c.Auth(smtp.PlainAuth("", p.user, p.password, p.host)); err != nil {
			return err
		}
	}
	if err := c.Mail(p.from); err != nil {
		return err
	}
	if err := c.Rcpt(m.To); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(p.letter(m)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the server has taken it
	return nil
}

// letter is a message as RFC 5322 has it. Its Message-ID is that of the message, so one
// that comes twice is seen to be the same.
func (p *postOffice) letter(m Message) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(p.from, "@")
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, oneLine(value)) }
	line("From", p.from)
	line("To", m.To)
	line("Subject", mime.QEncoding.Encode("utf-8", oneLine(m.Subject)))
	line("Date", p.now().Format(time.RFC1123Z))
	line("Message-ID", "<"+m.ID+"@"+domain+">")
	line("Auto-Submitted", "auto-generated")
	line("MIME-Version", "1.0")
	line("Content-Type", "text/plain; charset=utf-8")
	line("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n"))) // into memory
	_ = q.Close()
	return b.Bytes()
}

// oneLine is a text that cannot begin another header.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
