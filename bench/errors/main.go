// SPDX-License-Identifier: Apache-2.0

// Command errors measures by simulation how often Flyball's decisions are wrong where the
// truth is known: how often the gate passes a candidate that is worse by exactly its
// margin, how often the search of slices sees harm where there is none, and how often a
// release that is looked at all the time is thought harmful or broken. It goes
// through the code that decides, not through formulas, and prints a table in Markdown.
//
//	go run ./bench/errors                      # a few minutes
//	go run ./bench/errors -trials 200 -only auc
//	go run ./bench/errors -write docs/errors.md
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"flyball/bench/document"
)

// experiment is one claim about how often something goes wrong.
type experiment struct {
	group   string  // what decides
	name    string  // the data, and what is asked
	nominal float64 // how often it may be wrong
	trials  int     // as many as tell; -trials makes all the same
	wrong   func(trial uint64) bool
}

// outcome is how often it was wrong.
type outcome struct {
	experiment
	share, low, high float64
}

// experiments are all of them, with a truth from so many times half a million rows.
func experiments(truth int) []experiment {
	return append(gateExperiments(truth), onlineExperiments()...)
}

func main() {
	trials := flag.Int("trials", 0, "of each experiment; 0: as many as tell")
	only := flag.String("only", "", "experiments whose name holds this text")
	write := flag.String("write", "", "document to write the table into, between its marks")
	flag.Parse()
	var all []outcome
	for _, e := range experiments(10) {
		if !strings.Contains(e.group+" "+e.name, *only) {
			continue
		}
		if *trials > 0 {
			e.trials = *trials
		}
		o := e.run()
		fmt.Fprintf(os.Stderr, "%s, %s: %.2f %%\n", o.group, o.name, 100*o.share)
		all = append(all, o)
	}
	if *write == "" {
		table(os.Stdout, all)
		return
	}
	if err := into(*write, all); err != nil {
		fail(err)
	}
}

// fail ends the program.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// run makes the trials on all processors. A trial is the same whatever the others are.
func (e experiment) run() outcome {
	var wait sync.WaitGroup
	parts := runtime.NumCPU()
	counts := make([]int, parts)
	for p := range parts {
		wait.Go(func() {
			for i := p; i < e.trials; i += parts {
				if e.wrong(uint64(i)) {
					counts[p]++
				}
			}
		})
	}
	wait.Wait()
	wrong := 0
	for _, n := range counts {
		wrong += n
	}
	o := outcome{experiment: e, share: float64(wrong) / float64(e.trials)}
	o.low, o.high = interval(wrong, e.trials)
	return o
}

// table is the outcomes in Markdown.
func table(w io.Writer, all []outcome) {
	fmt.Fprintln(w, "| what decides | data, and what is asked | may be wrong | was wrong (95 %) | trials |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for _, o := range all {
		fmt.Fprintf(w, "| %s | %s | %.1f %% | %.2f %% (%.2f…%.2f) | %d |\n", o.group, o.name, 100*o.nominal, 100*o.share, 100*o.low, 100*o.high, o.trials)
	}
}

// into writes what was measured into a document.
func into(path string, all []outcome) error {
	return document.Write(path, "go run ./bench/errors -write docs/errors.md", func(w io.Writer) { table(w, all) })
}
