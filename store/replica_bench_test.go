// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"fmt"
	"testing"
	"time"

	"flyball/blob"
	"flyball/governance/access"
	"flyball/serving/release"
	"flyball/serving/replica"
	"flyball/store"
)

// onPostgres opens a database of a benchmark, led by this process.
func onPostgres(b *testing.B) *store.DB {
	db, err := store.Open(b.Context(), server.DSN(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	l, ok, err := db.Lead(b.Context(), "bench", "", time.Hour)
	if err != nil || !ok {
		b.Fatal(ok, err)
	}
	db.Behind(l.Fence)
	return db
}

// BenchmarkAReplicaReports is what one report of a replica costs whoever leads, with as
// many models as it says. Each replica sends one every two seconds.
func BenchmarkAReplicaReports(b *testing.B) {
	for _, models := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("models=%d", models), func(b *testing.B) {
			db := onPostgres(b)
			r := replica.Report{Name: "r1", Process: "r1/a"}
			for i := range models {
				name := fmt.Sprintf("model-%d", i)
				r.Models = append(r.Models, replica.Held{Model: name, Generation: 7})
				if i < 10 { // of the others nothing is new
					r.Hours = append(r.Hours, release.Hour{Model: name, Start: time.Unix(7200, 0), Generation: 7, Answered: int64(i)})
				}
			}
			for b.Loop() {
				if _, err := db.KeepReplica(b.Context(), r, time.Minute); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkALookAtWhatIsDesired is what comparing what replicas are to serve with what they
// were told costs, where nothing changed: whoever leads does it each second.
func BenchmarkALookAtWhatIsDesired(b *testing.B) {
	for _, models := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("models=%d", models), func(b *testing.B) {
			db := onPostgres(b)
			d := replica.Desired{Users: make([]access.User, 30), Tokens: make([]replica.Credential, 30)}
			for i := range models {
				name := fmt.Sprintf("model-%d", i)
				d.Models = append(d.Models, replica.Model{
					Name: name, Route: release.Route{Model: name, Generation: 7, Live: 3, Candidate: 4, Seed: name + "/4"}, Baseline: blob.Sum([]byte{1}),
					Bundles: map[int]blob.Digest{3: blob.Sum([]byte{2}), 4: blob.Sum([]byte{3})},
				})
			}
			for b.Loop() {
				if _, err := db.SaveDesired(b.Context(), d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
