// SPDX-License-Identifier: Apache-2.0

// Command replay replays a year of hotel bookings through a running Flyball: each day's
// bookings as requests, each truth on the day it became known. It speaks REST as any
// client does, and compares at the end what was served with never retraining. The
// model is what model.yaml and hotel-features.yaml say, and nothing else.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"flyball/fault"
)

const usage = `usage:
  replay prepare [--dir DIR]            write bookings.csv.gz, what is known when the replay begins
  replay prepare --until 2017-01-01     write it with the bookings of 2016 too, for flyball rehearse
  replay run [--dir DIR] [--url URL]    replay 2016; the server runs with --clock 2016-01-01T00:00Z
`

// begins is when the replay begins: what was booked before trains version 1.
var begins = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		stop()
		os.Exit(1)
	}
}

// command does what the arguments say and tells of it on out.
func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return fault.New(fault.Invalid, "%s", usage)
	}
	o := options{out: out}
	flags := flag.NewFlagSet("replay "+args[0], flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.dir, "dir", filepath.Join("examples", "hotel-cancel"), "folder of the model file and of the history")
	flags.StringVar(&o.source, "source", "", "where bookings.csv.gz is (default: in the folder)")
	flags.StringVar(&o.until, "until", begins.Format(time.DateOnly), "take the bookings made before this day")
	flags.IntVar(&o.thin, "thin", 1, "take only every so many rows of the history")
	flags.StringVar(&o.url, "url", "", "server to replay to (default: one of its own, in a temporary folder)")
	flags.IntVar(&o.days, "days", 366, "days to replay")
	if err := flags.Parse(args[1:]); err != nil {
		return fault.Wrap(err, fault.Invalid, "the arguments cannot be read")
	}
	if o.source == "" {
		o.source = filepath.Join(o.dir, "bookings.csv.gz")
	}
	if o.thin < 1 || o.days < 1 || flags.NArg() > 0 {
		return fault.New(fault.Invalid, "%s", usage)
	}
	switch args[0] {
	case "prepare":
		return prepare(o)
	case "run":
		return replay(ctx, o)
	}
	return fault.New(fault.Invalid, "%s", usage)
}

// options are of one run.
type options struct {
	dir    string
	source string
	until  string
	url    string
	thin   int
	days   int
	out    io.Writer
}

func (o options) say(format string, args ...any) { fmt.Fprintf(o.out, format+"\n", args...) }
