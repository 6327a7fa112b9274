// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/serving/prediction"
)

// hourly are predictions of a model m, one an hour.
func hourly(n int) []prediction.Record {
	out := make([]prediction.Record, n)
	for i := range out {
		at := time.Date(2025, 3, 4, i, 0, 0, 0, time.UTC)
		out[i] = prediction.Record{
			ID: ident.NewPredictionID(at), Model: "m", Version: 1, Arm: prediction.Live, At: at, Time: at, Due: at,
			Key: fmt.Sprint("b-", i%3), Row: json.RawMessage(`{"x":1}`), Scores: []float64{0.5},
		}
	}
	return out
}

func TestWhatTheChainTellsOfIsVerified(t *testing.T) {
	cfg := config(t)
	a := start(t, cfg)
	c := client.New(a.URL(), "", http.DefaultClient)
	<-a.log.Ready()
	if err := a.log.Append(t.Context(), true, true, hourly(30)...); err != nil {
		t.Fatal(err)
	}
	if _, err := a.log.Seal(t.Context(), time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	steps := 0
	verify := func(anchors ...audit.Anchor) (audit.Verified, error) {
		return c.VerifyAll(t.Context(), wire.AuditVerify{Predictions: true, Anchors: anchors}, func(audit.Step) { steps++ })
	}
	anchor, err := c.AuditAnchor(t.Context())
	if err != nil || anchor.Seq != 2 {
		t.Fatalf("got %v, %v", anchor, err)
	}
	v, err := verify(anchor)
	if err != nil || v.Records != 2 || v.Files != 2 || v.Anchors != 1 || v.Wrong != nil || v.Waiting != 0 || steps == 0 {
		t.Fatalf("got %+v, %v after %d steps", v, err, steps)
	}
	rs, err := c.FindAudit(t.Context(), audit.Query{Object: "m", Actor: "flyball"}, 10)
	if err != nil || len(rs) != 2 || rs[0].Action != audit.Sealed {
		t.Errorf("got %v, %v", rs, err)
	}
	files, err := filepath.Glob(filepath.Join(cfg.Data, "predictions", "model=m", "*", "*.parquet"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got %v, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	v, err = verify()
	if err != nil || len(v.Wrong) != 1 || !strings.Contains(v.Wrong[0], filepath.Base(files[0])+" was removed") || v.Files != 1 {
		t.Errorf("got %+v, %v", v, err)
	}
	bad := anchor
	bad.Seq = 9
	if v, err = verify(bad); err != nil || len(v.Wrong) != 2 {
		t.Errorf("got %+v, %v", v, err)
	}
	if _, err := verify(audit.Anchor{At: time.Now(), End: audit.End{Seq: 1}}); fault.Is(err, fault.Refused) {
		t.Error(err)
	}
}

func TestTheServerKeepsAnAnchorOfEachDayAndOfItsStop(t *testing.T) {
	cfg := config(t)
	t.Cleanup(func() { // after the server has stopped
		f, err := os.Open(filepath.Join(cfg.Data, "anchors.txt"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := audit.ReadAnchors(f)
		if err != nil || len(got) == 0 || got[len(got)-1].Seq != 1 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	a := start(t, cfg)
	if _, err := a.store.AddAudit(t.Context(), audit.Record{At: time.Now(), Actor: "ana", Action: "try", Object: "m"}); err != nil {
		t.Fatal(err)
	}
}

func TestTheWholeChainIsExported(t *testing.T) {
	a := start(t, config(t))
	for i := range 1200 {
		if _, err := a.store.AddAudit(t.Context(), audit.Record{At: time.Unix(int64(i), 0), Actor: "ana", Action: "try", Object: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	c := client.New(a.URL(), "", http.DefaultClient)
	for _, x := range []struct {
		from, to time.Time
		first, n int64
	}{{time.Time{}, time.Time{}, 1, 1200}, {time.Unix(100, 0), time.Unix(1150, 0), 101, 1050}, {time.Unix(3000, 0), time.Time{}, 0, 0}} {
		n, end := int64(0), audit.End{Hash: audit.Start}
		if err := c.ExportAudit(t.Context(), x.from, x.to, func(line []byte, r audit.Record) error {
			if n++; n == 1 {
				end = audit.End{Seq: r.Seq - 1, Hash: r.Prev}
				if r.Seq != x.first {
					t.Errorf("begins with %s", line)
				}
			}
			return end.Follow(r)
		}); err != nil || n != x.n {
			t.Errorf("from %v to %v: got %d records, %v", x.from, x.to, n, err)
		}
	}
}
