// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"

	"flyball/serving/predictionlog"
)

// oneAfterAnother is a log that always has something to ship when it is asked first.
type oneAfterAnother struct{ n int64 }

func (l *oneAfterAnother) Ship(ctx context.Context, put func(context.Context, predictionlog.Shipment) error) (bool, error) {
	if l.n%2 == 1 {
		l.n++
		return false, nil
	}
	if err := put(ctx, predictionlog.Shipment{Mark: predictionlog.Mark{Origin: "o", Seq: 1 + l.n/2}, Body: []byte("x")}); err != nil {
		return false, err
	}
	l.n++
	return true, nil
}

func TestABucketThatIsAwayIsTriedAtGrowingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var tries []int // seconds since the begin
		away := faulty{memblob.OpenBucket(nil), func(op, _ string) (error, error) {
			at := int(time.Since(begin).Seconds())
			if op == "upload" {
				tries = append(tries, at)
			}
			if at > 2 && at < 60 {
				return errors.New("away"), nil
			}
			return nil, nil
		}}
		var said strings.Builder
		s := NewShipper(ShipperOptions{Log: &oneAfterAnother{}, Bucket: away, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		ctx, cancel := context.WithTimeout(t.Context(), 64500*time.Millisecond)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		if want := []int{1, 2, 3, 5, 9, 17, 32, 47, 62, 63, 64}; !slices.Equal(tries, want) {
			t.Errorf("tried at %d", tries)
		}
		if n := strings.Count(said.String(), "\n"); n != 2 || !strings.Contains(said.String(), "cannot be shipped") {
			t.Errorf("said %q", said.String())
		}
	})
}

// keeps is a log that has no image at first.
type keeps struct {
	Keeps
	images int
	forgot chan struct{}
}

func (k *keeps) Forgot() <-chan struct{} { return k.forgot }

func (k *keeps) Seal(context.Context, time.Time, time.Duration) (int, error) { return 0, nil }

func (k *keeps) Image(context.Context, string) (predictionlog.Image, error) {
	if k.images++; k.images == 1 {
		return predictionlog.Image{}, errors.New("no room")
	}
	return predictionlog.Image{}, errors.New("still none")
}

func TestACheckpointIsMadeWhenSomethingWasForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &keeps{forgot: make(chan struct{}, 1), images: 1}
		k := NewKeeper(KeeperOptions{Log: l, Bucket: memblob.OpenBucket(nil), Pointer: by{&pointer{}, 0}, Temp: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		time.AfterFunc(time.Second, func() { l.forgot <- struct{}{} })
		if err := k.Run(ctx); err != nil || l.images != 3 {
			t.Errorf("%d images, want that of the begin and one more (%v)", l.images-1, err)
		}
	})
}

func TestACheckpointThatFailedIsMadeAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &keeps{}
		k := NewKeeper(KeeperOptions{Log: l, Bucket: memblob.OpenBucket(nil), Pointer: by{&pointer{}, 0}, Temp: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Second)
		defer cancel()
		if err := k.Run(ctx); err != nil || l.images != 3 {
			t.Errorf("%d tries in three minutes (%v)", l.images, err)
		}
	})
}
