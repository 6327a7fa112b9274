// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
)

// Audit is the chain of what was changed.
type Audit interface {
	FindAudit(ctx context.Context, q audit.Query, limit int) ([]audit.Record, error)
	AuditEnd(ctx context.Context) (audit.End, error)
}

// auditView is what the page of the audit chain shows.
type auditView struct {
	Frame    frame
	Headline []span
	More     string
	Asked    url.Values
	State    event.Mark // of the last verification
	Verified string
	Wrong    []string
	Ends     []pair
	Records  table
}

// audit shows the newest records of the chain, and what is known of its soundness.
func (p *pages) audit(w http.ResponseWriter, r *http.Request) {
	f := frame{Title: "Audit", Here: "audit", Command: "flyball audit", Stream: living, Crumbs: []crumb{{"Flyball", "/"}, {"Audit", ""}}}
	v := auditView{Frame: f, Asked: r.URL.Query()}
	v.Records = table{ID: "records", Name: "audit records", Empty: "No record is like that.", Columns: []column{
		{"", "No.", false}, {"", "When", true}, {"", "Who", false}, {"", "Did", false}, {"", "To", false}, {"", "Why", false}, {"", "Hash", false},
	}}
	q, err := v.query()
	var rs []audit.Record
	var end audit.End
	if err == nil {
		rs, err = p.Audit.FindAudit(r.Context(), q, tableRows+1)
	}
	if err == nil {
		end, err = p.Audit.AuditEnd(r.Context())
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	v.Headline = []span{{many(int(end.Seq), "record"), true}, {" of who changed what.", false}}
	v.More = "Each record’s hash covers the one before it, so one that is changed or removed is found. flyball audit export --file audit.jsonl takes it all out."
	if err := v.stand(p, end); err != nil {
		p.broken(w, r, err)
		return
	}
	more := ""
	if len(rs) > tableRows {
		rs = rs[:tableRows]
		more = strconv.FormatInt(rs[tableRows-1].Seq, 10)
	}
	rows := make([]tableRow, len(rs))
	for i, x := range rs {
		seq := strconv.FormatInt(x.Seq, 10)
		rows[i] = tableRow{Key: seq, Cells: []tableCell{
			{Text: seq}, {Text: moment(x.At)}, {Text: x.Actor}, {Text: x.Action}, {Text: clip(x.Object, 60)}, {Text: clip(x.Why, 200)}, {Text: x.Hash[:min(12, len(x.Hash))]},
		}}
	}
	v.Records.show(r.URL, rows, more)
	p.show(w, r, http.StatusOK, "audit.html", v)
}

// query is what the address asks for, and sets the command that asks the same.
func (v *auditView) query() (audit.Query, error) {
	q := audit.Query{Newest: true}
	for name, to := range map[string]*string{"actor": &q.Actor, "action": &q.Action, "object": &q.Object} {
		*to = strings.TrimSpace(v.Asked.Get(name))
	}
	for _, x := range []pair{{Key: "actor", Value: q.Actor}, {Key: "action", Value: q.Action}, {Key: "object", Value: q.Object}} {
		if x.Value != "" {
			v.Frame.Command += " --" + x.Key + " " + shell(x.Value)
		}
	}
	if since := v.Asked.Get("since"); since != "" {
		at, err := day0(since)
		if err != nil {
			return q, err
		}
		q.Since = at
		v.Frame.Command += " --since " + shell(since)
	}
	if after := v.Records.at(v.Asked, "after"); after != "" { // the newest first: what comes after is before
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil || n < 1 {
			return q, fault.New(fault.Invalid, "%q is no record of the audit chain", clip(after, 40))
		}
		q.Before = n
	}
	return q, nil
}

// stand says when the chain was verified last, and where it ends.
func (v *auditView) stand(p *pages, end audit.End) error {
	seen := p.Auditor.Last()
	switch {
	case seen.At.IsZero():
		v.State, v.Verified = event.None, "Not verified since this server began."
	case len(seen.Wrong) > 0:
		v.State, v.Verified, v.Wrong = event.Stop, "Verified "+moment(seen.At)+": something is wrong.", seen.Wrong
	default:
		v.State, v.Verified = event.OK, "Verified "+moment(seen.At)+": "+many(int(seen.Records), "record")+" held"
		if seen.Files {
			v.Verified += ", and " + many(seen.Checked.Files, "sealed file") + " of predictions"
		}
		v.Verified += "."
		if later := end.Seq - seen.Records; later > 0 {
			v.Verified += " " + many(int(later), "record") + " came later."
		}
	}
	v.Ends = []pair{{Key: "the chain ends at", Value: strconv.FormatInt(end.Seq, 10)}, {Key: "its hash", Value: end.Hash}}
	last, any, err := p.LastAnchor()
	if any {
		v.Ends = append(v.Ends, pair{Key: "last anchor", Value: last.String()})
	}
	return err
}

// verifyAudit recomputes the chain, and shows the page again: what is wrong stands there.
func (p *pages) verifyAudit(w http.ResponseWriter, r *http.Request) {
	if _, err := p.Auditor.Verify(r.Context(), nil, false, func(audit.Step) {}); err != nil && !fault.Is(err, fault.Refused) {
		p.refuse(w, r, frame{Title: "Audit", Here: "audit", Command: "flyball audit verify", Crumbs: []crumb{{"Flyball", "/"}, {"Audit", "/audit"}, {"Not done", ""}}}, err)
		return
	}
	protect(w)
	http.Redirect(w, r, "/audit", http.StatusSeeOther)
}
