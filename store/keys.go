// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"sync"
)

// keys remembers numbers of names in table keys, so that logging and reading need not
// ask for them. Rows of the table never change and are never deleted; what is
// remembered is committed. The zero value is ready; all methods may be called at once.
type keys struct {
	mu    sync.RWMutex
	ids   map[string]int64
	names map[int64]string
	bytes int
}

// How much keys remembers; a large database of runs has some 12,000 names.
const (
	mostKeys     = 100_000
	mostKeyBytes = 8 << 20
)

// learn remembers committed names. When it is full it begins anew.
func (k *keys) learn(ids map[string]int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, id := range ids {
		if len(k.ids) >= mostKeys || k.bytes+len(name) > mostKeyBytes || k.ids == nil {
			k.ids, k.names, k.bytes = map[string]int64{}, map[int64]string{}, 0
		}
		if _, known := k.ids[name]; !known && len(name) <= mostKeyBytes {
			k.ids[name], k.names[id] = id, name
			k.bytes += len(name)
		}
	}
}

// known fills in the numbers of names that it remembers, and returns the others.
func (k *keys) known(ids map[string]int64) (unknown []string) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for name := range ids {
		if id, ok := k.ids[name]; ok {
			ids[name] = id
		} else {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// number fills in the numbers of the names that are the keys of ids, and gives a
// number to a name that has none.
func (t *tx) number(ctx context.Context, ids map[string]int64) error {
	unknown := t.keys.known(ids)
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown) // always in one order, so that two transactions never wait for each other
	list := set(unknown)
	_, err := t.exec(ctx, `INSERT INTO keys (name) SELECT value FROM {texts} WHERE 1 = 1 ORDER BY value ON CONFLICT (name) DO NOTHING`, list)
	if err != nil {
		return err
	}
	if t.learned == nil {
		t.learned = map[string]int64{}
	}
	return t.each(ctx, func(s scanner) error {
		var name string
		var id int64
		if err := s.Scan(&name, &id); err != nil {
			return err
		}
		ids[name], t.learned[name] = id, id
		return nil
	}, `SELECT name, id FROM keys WHERE name IN (SELECT value FROM {texts})`, list)
}

// names fills in the names of the numbers that are the keys of names.
func (db *DB) names(ctx context.Context, names map[int64]string) error {
	var unknown []int64
	db.keys.mu.RLock()
	for id := range names {
		if name, ok := db.keys.names[id]; ok {
			names[id] = name
		} else {
			unknown = append(unknown, id)
		}
	}
	db.keys.mu.RUnlock()
	if len(unknown) == 0 {
		return nil
	}
	learned := map[string]int64{}
	err := db.each(ctx, func(s scanner) error {
		var name string
		var id int64
		if err := s.Scan(&id, &name); err != nil {
			return err
		}
		names[id], learned[name] = name, id
		return nil
	}, `SELECT id, name FROM keys WHERE id {among}`, set(unknown))
	if err != nil {
		return err
	}
	db.keys.learn(learned)
	return nil
}
