// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"flyball/fault"
)

// Store is where the chain is kept. Package store implements it.
type Store interface {
	// WalkAudit gives every record after the first seq in order, and returns where the
	// chain ends by what the database remembers apart from the records.
	WalkAudit(ctx context.Context, after int64, visit func(Record) error) (End, error)
}

// Folder is where sealed files lie. Package predictionlog implements it.
type Folder interface {
	// CheckFiles compares the files with those that the chain says there are. want gives
	// those as they are at that moment, each time it is called.
	CheckFiles(ctx context.Context, want func(context.Context) (Files, error), tell func(done, total int, bytes int64)) (Checked, error)
}

// Checked is what came of looking at all sealed files.
type Checked struct {
	Files   int      `json:"files"`   // that hold
	Bytes   int64    `json:"bytes"`   // of them
	Waiting int      `json:"waiting"` // are sealed and not in the chain yet
	Wrong   []string `json:"wrong,omitempty"`
}

// Step is how far a verification has come.
type Step struct {
	What  string `json:"what"`
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0: not known
}

// Verified is what holds, and in Wrong what does not, a sentence each.
type Verified struct {
	Records int64 `json:"records"`
	Anchors int   `json:"anchors"`
	Checked
}

// Auditor verifies the chain, and what it tells of. It changes nothing, remembers what came
// of it last, and may be used by many at once.
type Auditor struct {
	Store  Store
	Folder Folder
	Server string           // whose files Folder has, as File.Server names it; those of others are not looked at
	Now    func() time.Time // nil: what came of it is not remembered

	mu   sync.Mutex
	last Seen
}

// Seen is what came of a verification. The zero value: there was none since the start.
type Seen struct {
	At    time.Time
	Files bool // the sealed files were looked at, too
	Verified
}

// Last is what came of the last verification that reached an answer.
func (a *Auditor) Last() Seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Verify recomputes the chain, looks for each anchor in it, and with files set compares
// the sealed files with what it tells of them. tell is called now and then. The first
// record that is wrong ends it with a Refused fault, for what comes after it proves
// nothing; wrong anchors and files are all named in Verified.
func (a *Auditor) Verify(ctx context.Context, anchors []Anchor, files bool, tell func(Step)) (Verified, error) {
	out, err := a.verify(ctx, anchors, files, tell)
	if a.Now == nil || err != nil && !fault.Is(err, fault.Refused) {
		return out, err
	}
	seen := Seen{a.Now(), files, out}
	if err != nil {
		seen.Wrong = append(seen.Wrong, err.Error())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = seen
	return out, err
}

func (a *Auditor) verify(ctx context.Context, anchors []Anchor, files bool, tell func(Step)) (Verified, error) {
	c := &walk{server: a.Server, end: End{Hash: Start}, files: Files{}, hashes: map[int64]string{}}
	for _, x := range anchors {
		c.hashes[x.Seq] = ""
	}
	c.hashes[0] = Start
	told := time.Time{}
	say := func(s Step) {
		if now := time.Now(); now.Sub(told) > 200*time.Millisecond {
			told = now
			tell(s)
		}
	}
	head, err := a.Store.WalkAudit(ctx, 0, func(r Record) error {
		if r.Seq%10_000 == 0 {
			say(Step{What: "records", Done: r.Seq})
		}
		return c.follow(r)
	})
	if err == nil {
		err = c.end.reaches(head)
	}
	if err != nil {
		return Verified{Records: c.end.Seq}, err
	}
	out := Verified{Records: c.end.Seq}
	wrong := c.anchors(anchors, &out.Anchors)
	if files {
		want := func(ctx context.Context) (Files, error) {
			_, err := a.Store.WalkAudit(ctx, c.end.Seq, c.follow) // what was added meanwhile
			return c.files, err
		}
		if out.Checked, err = a.Folder.CheckFiles(ctx, want, func(done, total int, _ int64) {
			say(Step{What: "files", Done: int64(done), Total: int64(total)})
		}); err != nil {
			return out, err
		}
	}
	out.Wrong = append(wrong, out.Wrong...)
	return out, nil
}

// walk is a chain on the way through it.
type walk struct {
	server string
	end    End
	files  Files
	hashes map[int64]string // of the records that anchors name
}

func (c *walk) follow(r Record) error {
	if err := c.end.Follow(r); err != nil {
		return err
	}
	if _, asked := c.hashes[r.Seq]; asked {
		c.hashes[r.Seq] = r.Hash
	}
	return c.files.Follow(r, c.server)
}

// anchors counts those that hold, and gives a sentence for each of the others.
func (c *walk) anchors(all []Anchor, hold *int) []string {
	var wrong []string
	for _, x := range all {
		switch have := c.hashes[x.Seq]; {
		case x.Seq > c.end.Seq:
			wrong = append(wrong, fmt.Sprintf("the anchor of %s has %d records, the chain has %d: records %d to %d were cut off",
				x.At.Format(time.DateOnly), x.Seq, c.end.Seq, c.end.Seq+1, x.Seq))
		case have != x.Hash:
			wrong = append(wrong, fmt.Sprintf("the anchor of %s does not hold: record %d, or one before it, is another", x.At.Format(time.DateOnly), x.Seq))
		default:
			*hold++
		}
	}
	return wrong
}

// reaches says whether records that end at e are all that were written up to head.
func (e End) reaches(head End) error {
	switch {
	case e.Seq < head.Seq:
		return broken("audit record %d is missing: the chain had %d", e.Seq+1, head.Seq)
	case e.Seq == head.Seq && e.Hash != head.Hash:
		return broken("audit record %d is not the one that was written last", e.Seq)
	}
	return nil
}

// Broken is Wrong as one fault; nil where all holds.
func (v Verified) Broken() error {
	if len(v.Wrong) == 0 {
		return nil
	}
	more := ""
	if n := len(v.Wrong) - 1; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fault.New(fault.Refused, "%s%s", v.Wrong[0], more).Do("compare with a backup")
}
