// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"flyball/fault"
)

// Sign is the signature of a webhook's body, as the header webhook-signature has it: v1
// and the base64 HMAC-SHA256 of id.timestamp.body, after the Standard Webhooks
// specification (standardwebhooks.com), whose libraries check it. timestamp is in Unix
// seconds. A secret that begins with whsec_ is base64, else it is taken as it is.
func Sign(secret, id string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, key(secret))
	mac.Write([]byte(id + "." + strconv.FormatInt(timestamp, 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func key(secret string) []byte {
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			return raw
		}
	}
	return []byte(secret)
}

// poster posts JSON to addresses of the public network alone, unless private.
type poster struct {
	client *http.Client
	now    func() time.Time // the machine's: a receiver compares it with its own
}

func newPoster(private bool) *poster {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !private {
		// It is asked with the address that is dialled, after the name was looked up, so a
		// name that means another address the next time changes nothing.
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return public(address) }
	}
	return &poster{now: time.Now, client: &http.Client{
		Transport: &http.Transport{ // without a proxy: it would dial in our place
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, DisableKeepAlives: true,
			ResponseHeaderTimeout: tryTime, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// public refuses an address, as it is dialled, that does not lie on the public network.
func public(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%q is no address", address)
	}
	ip := at.Addr().Unmap().WithZone("")
	bad := !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()
	// Networks besides those that netip knows in which no receiver lies: RFC 6890, RFC 6052, RFC 3056.
	for _, text := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fec0::/10"} {
		net, err := netip.ParsePrefix(text)
		bad = bad || err == nil && net.Contains(ip)
	}
	if bad {
		return fault.New(fault.Denied, "the receiver lies at %s, which is not on the public network", ip).
			Do("start the server with --alert-private, if messages may go there")
	}
	return nil
}

// post sends a body and wants a status of 2xx. Redirects are not followed.
func (p *poster) post(ctx context.Context, to string, body []byte, headers map[string]string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fault.New(fault.Invalid, "the receiver's address cannot be read")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "flyball")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := p.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address
		}
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // what it says does not matter
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fault.New(fault.Unavailable, "the receiver answers %d", res.StatusCode)
	}
	return nil
}

// webhook sends the body of a message, signed.
func (p *poster) webhook(to, secret string) func(ctx context.Context, m Message) error {
	return func(ctx context.Context, m Message) error {
		at := p.now().Unix()
		return p.post(ctx, to, m.Body, map[string]string{
			"webhook-id": m.ID, "webhook-timestamp": strconv.FormatInt(at, 10), "webhook-signature": Sign(secret, m.ID, at, m.Body),
		})
	}
}

// escapes are the three characters that chats read as markup.
func escapes(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// slack sends the text of a message, as the hooks of chats take it.
func (p *poster) slack(to string) func(ctx context.Context, m Message) error {
	return func(ctx context.Context, m Message) error {
		body, err := json.Marshal(map[string]string{"text": escapes(m.Subject + "\n" + m.Text)})
		if err != nil {
			return err
		}
		return p.post(ctx, to, body, nil)
	}
}
