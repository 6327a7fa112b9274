// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"flyball/ident"
	"flyball/model/registry"
	"flyball/store"
)

// BenchmarkRegistry asks what clients ask most of a registry with a thousand models,
// of which one has two thousand versions.
func BenchmarkRegistry(b *testing.B) {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(b.TempDir(), "flyball.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	at := time.UnixMilli(1000)
	for i := range 1000 {
		m := registry.Model{Name: fmt.Sprintf("model-%d", i), CreatedAt: at, UpdatedAt: at, Tags: []registry.Tag{{Key: "team", Value: "x"}}}
		if err := db.CreateModel(ctx, m); err != nil {
			b.Fatal(err)
		}
	}
	v := registry.Version{Ref: ident.Ref{Model: "model-500"}, Source: "s3://b/m", CreatedAt: at, UpdatedAt: at, Tags: []registry.Tag{{Key: "k", Value: "v"}}}
	for range 2000 {
		if _, err := db.RegisterVersion(ctx, v); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.MoveAlias(ctx, "model-500", "champion", 1000, "ana", at); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"model", func() error { _, err := db.Listing(ctx, "model-500"); return err }},
		{"version", func() error { _, err := db.Version(ctx, ident.Ref{Model: "model-500", Version: 1000}); return err }},
		{"alias", func() error { _, err := db.VersionByAlias(ctx, "model-500", "champion"); return err }},
		{"search", func() error { _, _, err := db.SearchModels(ctx, registry.Query{Limit: 100}); return err }},
		{"register", func() error { _, err := db.RegisterVersion(ctx, v); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
