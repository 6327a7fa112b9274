// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func openFile(t *testing.T) *DB {
	t.Helper()
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestANameIsRememberedOnlyOnceItIsCommitted(t *testing.T) {
	db, ctx := openFile(t), context.Background()
	undone := errors.New("undone")
	first, second := map[string]int64{"a": 0}, map[string]int64{"b": 0, "a": 0}
	err := db.atomic(ctx, "", func(tx *tx) error {
		if err := tx.number(ctx, first); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) || first["a"] == 0 {
		t.Fatalf("got %v and %v", err, first)
	}
	if err := db.atomic(ctx, "", func(tx *tx) error { return tx.number(ctx, second) }); err != nil {
		t.Fatal(err)
	}
	kept := map[int64]string{second["a"]: "", second["b"]: ""}
	if err := db.names(ctx, kept); err != nil || kept[second["a"]] != "a" || kept[second["b"]] != "b" {
		t.Errorf("got %v, %v for %v", kept, err, second)
	}
	db.keys = keys{} // as after a restart
	kept = map[int64]string{second["a"]: "", second["b"]: ""}
	if err := db.names(ctx, kept); err != nil || kept[second["a"]] != "a" || kept[second["b"]] != "b" {
		t.Errorf("after a restart: got %v, %v for %v", kept, err, second)
	}
	again := map[string]int64{"a": 0, "b": 0}
	if unknown := db.keys.known(again); len(unknown) != 0 || again["a"] != second["a"] || again["b"] != second["b"] {
		t.Errorf("got %v and %v, want what was read to be remembered: %v", again, unknown, second)
	}
}

func TestOnlySoManyNamesAreRemembered(t *testing.T) {
	for _, c := range []struct {
		name        string
		names, size int
	}{
		{"many short ones", mostKeys + 500, 8},
		{"few long ones", 500, mostKeyBytes / 100},
		{"one that is too long", 1, mostKeyBytes + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var k keys
			pad := strings.Repeat("x", c.size-8)
			for i := range c.names {
				name := fmt.Sprintf("%08d", i) + pad
				k.learn(map[string]int64{name: int64(i + 1)})
				if c.size > mostKeyBytes {
					continue
				}
				ids := map[string]int64{name: 0}
				if unknown := k.known(ids); len(unknown) > 0 || ids[name] != int64(i+1) {
					t.Fatalf("name %d is not remembered", i)
				}
			}
			bytes := 0
			for name, id := range k.ids {
				if bytes += len(name); k.names[id] != name {
					t.Fatalf("%d is %.20q and not %.20q", id, k.names[id], name)
				}
			}
			if len(k.ids) > mostKeys || bytes > mostKeyBytes || bytes != k.bytes || len(k.names) != len(k.ids) {
				t.Errorf("it remembers %d and %d names of %d bytes, and counts %d", len(k.ids), len(k.names), bytes, k.bytes)
			}
		})
	}
}
