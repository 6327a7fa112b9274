// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"log/slog"
	"time"

	"flyball/serving/predictionlog"
)

// Ships is the log that is shipped from; *predictionlog.Log is one.
type Ships interface {
	Ship(ctx context.Context, put func(ctx context.Context, s predictionlog.Shipment) error) (bool, error)
}

// Shipper puts what a log stages into the bucket. A bucket that is slow or gone keeps it
// waiting, and nobody else: what is staged stays on the disk.
type Shipper struct {
	opts ShipperOptions
	in   objects
}

// ShipperOptions are what a Shipper is made of.
type ShipperOptions struct {
	Log    Ships
	Bucket Bucket
	Logger *slog.Logger // nil: slog.Default()

	Every   time.Duration // between two looks for what is staged; 0: 1 s
	Longest time.Duration // between two tries while the bucket fails; 0: 15 s
}

// NewShipper makes a Shipper. It starts nothing.
func NewShipper(opts ShipperOptions) *Shipper {
	if opts.Every <= 0 {
		opts.Every = time.Second
	}
	if opts.Longest <= 0 {
		opts.Longest = 15 * time.Second
	}
	return &Shipper{opts: opts, in: objects{opts.Bucket}}
}

// Run ships what is staged, again and again, until ctx is done; then it returns nil. What
// is staged by then is shipped by Drain, or after the next start.
func (s *Shipper) Run(ctx context.Context) error {
	rounds{
		every: s.opts.Every, again: 2 * s.opts.Every, longest: s.opts.Longest, log: logger(s.opts.Logger),
		fails: "predictions cannot be shipped; they stay on this machine until they can", works: "predictions are shipped again",
	}.run(ctx, s.opts.Every, s.Drain)
	return nil
}

// Drain ships all that is staged. What was shipped when it fails stays shipped.
func (s *Shipper) Drain(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = s.opts.Log.Ship(ctx, s.put); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shipper) put(ctx context.Context, x predictionlog.Shipment) error {
	return s.in.put(ctx, keyOf(x.Origin, x.Seq), x.Body)
}
