// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"flyball/blob"
	"flyball/bucket"
	"flyball/serving/predictionlog"
	"flyball/serving/shipping"
)

// logDir is where predictions lie.
func (c *Config) logDir() string { return filepath.Join(c.Data, "predictions") }

// openLog opens the log of predictions. With a bucket all that comes is shipped there too,
// so that it outlives this machine.
func (a *App) openLog() (err error) {
	o := predictionlog.Options{
		Logger: a.cfg.Logger, Metrics: a.metrics, KeepFor: a.cfg.PredictionsFor, KeepAudit: a.cfg.AuditFor, KeepBytes: a.cfg.PredictionsBytes, Now: a.clock.now,
		Tell: a.tellFile,
	}
	if a.predictions != nil {
		o.Shipping = predictionlog.Copy
	}
	if a.log, err = predictionlog.Open(a.cfg.logDir(), o); err == nil && a.predictions != nil {
		a.shipper = shipping.NewShipper(shipping.ShipperOptions{Log: a.log, Bucket: a.predictions, Logger: a.cfg.Logger})
	}
	return err
}

// shipLast ships what was logged to the end, as far as that takes no more than ten seconds.
func (a *App) shipLast(ctx context.Context) {
	if a.shipper == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := a.shipper.Drain(ctx); err != nil {
		a.cfg.Logger.Warn("not all predictions were handed on; the rest is on this machine's disk, and goes on at the next start", "error", err)
	}
}

// openBucket opens where blobs lie: the data folder, or the bucket. There the predictions
// are too, and what other processes brought is fetched first.
func (a *App) openBucket(ctx context.Context) (err error) {
	if a.cfg.Bucket == "" {
		a.blobs, err = blob.OpenDir(filepath.Join(a.cfg.Data, "blobs"))
		return err
	}
	blobs, err := bucket.Open(ctx, a.cfg.Bucket, "blobs")
	if err != nil {
		return err
	}
	a.blobs = blob.In(blobs)
	if a.predictions, err = bucket.Open(ctx, a.cfg.Bucket, "predictions"); err != nil {
		return err
	}
	if _, err := shipping.Restore(ctx, shipping.RestoreOptions{
		Dir: a.cfg.logDir(), Bucket: a.predictions, Pointer: a.store, Logger: a.cfg.Logger,
	}); err != nil {
		return err
	}
	return a.openLog()
}

// share brings what is logged here into the bucket, and what others brought there into the
// log here, until ctx is done.
func (a *App) share(ctx context.Context, g *errgroup.Group) {
	if a.predictions == nil {
		return
	}
	in, l := a.predictions, a.cfg.Logger
	taker := shipping.NewTaker(shipping.TakerOptions{Log: a.log, Bucket: in, Logger: l})
	keeper := shipping.NewKeeper(shipping.KeeperOptions{Log: a.log, Bucket: in, Pointer: a.store, Logger: l, Now: a.clock.now})
	for _, run := range []func(context.Context) error{a.shipper.Run, taker.Run, keeper.Run} {
		g.Go(func() error { return run(ctx) })
	}
}
