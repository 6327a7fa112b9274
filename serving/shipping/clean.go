// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/serving/predictionlog"
)

const (
	// cleanTime is how long after it set the pointer a leader removes objects: one that was
	// paused for longer may lead no more.
	cleanTime = 10 * time.Minute

	// orphanAge is how old an object is that no checkpoint names and nobody is about to. It
	// is far above cleanTime: what another leader uploads is younger than its lead.
	orphanAge = time.Hour

	removeAtOnce = 8
)

// clean removes what the checkpoint that was set then makes needless: shipments that it
// covers, what the one before named and it does not, and what failed ones left behind.
func (k *Keeper) clean(ctx context.Context, set time.Time, old, named map[string]bool, taken []predictionlog.Mark) error {
	covered := map[string]int64{}
	for _, m := range taken {
		covered[m.Origin] = m.Seq
	}
	var keys []string
	for key := range old {
		if !named[key] {
			keys = append(keys, key)
		}
	}
	var unnamed []*blob.ListObject
	var newest time.Time // by the bucket's clock: this checkpoint is among it
	if err := k.in.list(ctx, blob.ListOptions{}, func(x *blob.ListObject) bool {
		if x.ModTime.After(newest) {
			newest = x.ModTime
		}
		origin, seq, shipment := shipmentOf(x.Key)
		switch {
		case shipment && seq <= covered[origin]:
			keys = append(keys, x.Key)
		case !shipment && !old[x.Key] && !named[x.Key] && ours(x.Key):
			unnamed = append(unnamed, x)
		}
		return true
	}); err != nil {
		return err
	}
	for _, x := range unnamed {
		if newest.Sub(x.ModTime) > orphanAge {
			keys = append(keys, x.Key)
		}
	}
	return k.removeAll(ctx, set, keys)
}

// Clear removes all of a bucket.
func Clear(ctx context.Context, b Bucket) error {
	in := objects{b}
	var keys []string
	if err := in.list(ctx, blob.ListOptions{}, func(x *blob.ListObject) bool {
		keys = append(keys, x.Key)
		return true
	}); err != nil {
		return err
	}
	for _, key := range keys {
		if err := in.remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// ours reports whether a key is of what checkpoints are made of.
func ours(key string) bool {
	return strings.HasPrefix(key, "checkpoints/") || strings.HasPrefix(key, "model=")
}

// removeAll removes objects, several at once, as long as cleanTime is not over.
func (k *Keeper) removeAll(ctx context.Context, set time.Time, keys []string) error {
	var wait sync.WaitGroup
	next := make(chan string)
	errs := make([]error, removeAtOnce)
	for i := range errs {
		wait.Go(func() {
			for key := range next {
				if errs[i] == nil {
					errs[i] = k.in.remove(ctx, key)
				}
			}
		})
	}
	var late error
	for _, key := range keys {
		if time.Since(set) > cleanTime {
			late = fault.New(fault.Unavailable, "not all needless objects were removed in time").Do("nothing: the next checkpoint goes on")
			break
		}
		next <- key
	}
	close(next)
	wait.Wait()
	return errors.Join(append(errs, late)...)
}
