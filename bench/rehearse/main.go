// SPDX-License-Identifier: Apache-2.0

// Command rehearse runs the policies of the examples, and others beside them, over real
// histories, and prints what they would have served in Markdown.
//
//	go run ./bench/rehearse                              # minutes
//	go run ./bench/rehearse -only bikes
//	go run ./bench/rehearse -write docs/rehearsals.md -employment FOLDER
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"flyball/loop/rehearse"
	"flyball/training/learner"
)

func main() {
	only := flag.String("only", "", "histories whose name holds this text")
	root := flag.String("examples", "examples", "folder of the examples")
	employment := flag.String("employment", "", "folder of employment_MA_*.pq, which are not kept here; without it that history is left out")
	write := flag.String("write", "", "document to write the tables into, between its marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var done []rehearsed
	for _, h := range all(*root, *employment) {
		if !strings.Contains(h.name, *only) {
			continue
		}
		r, err := h.run(ctx)
		if err != nil {
			fail(fmt.Errorf("%s: %w", h.name, err))
		}
		done = append(done, r)
		fmt.Fprintf(os.Stderr, "%s: %.4f\n", h.name, r.reports[0].Served.Value)
	}
	if *write == "" {
		tables(os.Stdout, done)
		return
	}
	if err := into(*write, done); err != nil {
		fail(err)
	}
}

// fail ends the program.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// rehearsed is a history with what each of its policies came to, its own first.
type rehearsed struct {
	history
	reports []rehearse.Report
}

// run rehearses every policy of a history.
func (h history) run(ctx context.Context) (rehearsed, error) {
	m, rows, err := h.open()
	if err != nil {
		return rehearsed{}, err
	}
	s, err := rehearse.NewStream(m.Recipe.Task, rows, h.from, h.to)
	if err != nil {
		return rehearsed{}, err
	}
	var each []rehearse.Options
	for _, p := range append([]policy{{name: "its own"}}, h.others...) {
		o := rehearse.Options{Policy: p.name, Model: m, Decoders: learner.Decoders(), Arrived: p.arrived}
		if p.change != nil {
			p.change(&o.Model)
		}
		each = append(each, o)
	}
	out := rehearsed{history: h}
	out.reports, err = rehearse.Sweep(ctx, s, each)
	return out, err
}
