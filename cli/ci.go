// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/control"
	"flyball/fault"
	"flyball/training"
	"flyball/unit"
)

// The words of --against.
const (
	againstLive     = "live"
	againstBase     = "base"
	againstBaseline = "baseline"
)

// ciAsked is what is asked of one run of the command.
type ciAsked struct {
	base    string // as git knows it; empty: what a pull request is against
	against string
	now     string
	share   string
	sample  training.Sample
	url     string // of the server
	asked   bool   // it was named

	commit string // of base; empty: git knows none
	at     time.Time
}

func ciCommand(e *env) *cobra.Command {
	var o ciAsked
	c := &cobra.Command{
		Use: "ci [FILE…]", Short: "Check a change to model files for a pull request (exit 3: kept out)",
		Long: "Checks model files, trains each on a sample, judges it as the gate does, asks its tests, and\n" +
			"prints one Markdown comment. Without a file: those that changed since --base, with their\n" +
			"pipelines, code and data. All of it runs here, in a temporary folder, without a server.\n\n" +
			"It is judged against the file as it is at --base, trained on the same sample; with --url or\n" +
			"FLYBALL_URL against the live version there, where rows are new to it; with neither against the baseline that the file\n" +
			"names. --against says another. Rows are held out in the order of time, as in any training, and\n" +
			"all of them judge; of the others a sample trains, the same one for a seed.\n\n" +
			"The comment begins with the hidden line <!-- flyball ci MODEL -->, by which a job finds its own and\n" +
			"writes over it. Exit codes: 0 it holds; 1 it could not be tried, such as where the data cannot be\n" +
			"reached; 2 the file is wrong; 3 kept out, or the data fails a check. Of several files the worst.",
		Example: "  flyball ci\n  flyball ci model.yaml --base origin/main > comment.md\n  flyball ci model.yaml --sample 10% --seed 7\n" +
			"  flyball ci model.yaml --url https://flyball.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.url, o.asked = e.url, cmd.Flags().Changed("url") || os.Getenv("FLYBALL_URL") != ""
			if cmd.Flags().Changed("sample") && !cmd.Flags().Changed("rows") {
				o.sample.Rows = 0
			}
			return e.ci(cmd.Context(), args, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.base, "base", "", "the commit or branch that the change is against (default: of the pull request, or origin's)")
	f.StringVar(&o.against, "against", "", "live, base or baseline (default: live where a server is named, else base where git knows it)")
	f.IntVar(&o.sample.Rows, "rows", 20_000, "train on at most so many rows; 0: all")
	f.StringVar(&o.share, "sample", "", "train on this share of the rows, such as 10%")
	f.Uint64Var(&o.sample.Seed, "seed", 1, "of the sample")
	f.StringVar(&o.now, "now", "", "train as at this time (default now)")
	return c
}

// ci tries each file and prints what came of it.
func (e *env) ci(ctx context.Context, files []string, o ciAsked) error {
	if err := o.fill(ctx, e); err != nil {
		return err
	}
	if len(files) == 0 {
		if o.commit == "" {
			return fault.New(fault.Invalid, "no model file is named, and git knows no commit to compare with").
				Do("name the files, or say --base origin/main after git fetch origin main")
		}
		var err error
		if files, err = changedModels(".", o.commit); err != nil {
			return err
		}
		e.say("changed since %s: %s", o.commit[:12], cmp.Or(strings.Join(files, ", "), "no model file"))
	}
	var r ciReport
	hide := e.hidden()
	for _, path := range files {
		p := e.propose(ctx, path, o)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.Error != "" {
			e.say("flyball: %s: %s", path, hide(p.Error))
		}
		r.Files = append(r.Files, p)
	}
	r.finish(hide)
	var err error
	switch e.format {
	case "table", "wide", "markdown":
		_, err = io.WriteString(e.out, r.markdown())
	default:
		err = e.show(r, r.table())
	}
	if err != nil || r.Code == exitOK {
		return err
	}
	return ended(r.Code)
}

// fill reads what was asked, and finds the base.
func (o *ciAsked) fill(ctx context.Context, e *env) (err error) {
	if words := []string{againstLive, againstBase, againstBaseline}; o.against != "" && !slices.Contains(words, o.against) {
		return fmt.Errorf("invalid argument %q for --against: %s", o.against, strings.Join(words, ", "))
	}
	if o.share != "" {
		if o.sample.Share, err = unit.ParseNumber(o.share); err != nil || !(o.sample.Share > 0 && o.sample.Share <= 1) {
			return fmt.Errorf("invalid argument %q for --sample: write a share above 0, such as 10%%", o.share)
		}
	}
	if o.sample.Rows < 0 {
		return fmt.Errorf("invalid argument %d for --rows: write how many rows, or 0 for all", o.sample.Rows)
	}
	if o.at, err = e.asAt(ctx, o.now, o.asked); err != nil {
		return err
	}
	o.commit, err = baseCommit(".", o.base)
	return err
}

// propose tries one file. What goes wrong is part of the answer.
func (e *env) propose(ctx context.Context, path string, o ciAsked) proposal {
	p := proposal{File: path, Command: o.command(path), Asked: o.sample}
	m, err := readFiles(path)
	if err == nil {
		p.Model = m.Name
		_, p.Warnings, err = control.Read(m.application)
	}
	before := p.compare(path, m, o.commit)
	if err != nil {
		return p.failed(exitUsage, err)
	}
	defer before.close()
	out, err := os.MkdirTemp("", "flyball-ci-")
	if err != nil {
		return p.failed(exitFailed, fault.Wrap(err, fault.Unavailable, "no folder for the training can be made"))
	}
	defer os.RemoveAll(out)
	if err := m.find(filepath.Dir(path)); err != nil {
		return p.failed(exitFailed, fmt.Errorf("the data cannot be read: %w", err))
	}
	here, err := e.hereWith(ctx, m, o.at.Format(time.RFC3339Nano), out)
	if err != nil {
		return p.failed(exitFailed, err)
	}
	defer here.close()
	here.request.Cause, here.request.Sample = "ci", o.sample
	res, err := e.tried(ctx, &here, &p, before, o, out)
	if here.trainer.Executor != nil && ctx.Err() == nil {
		here.trainer.Forget(ctx, res)
	}
	p.Result = &res
	switch {
	case err != nil && stopped(res):
		return p.failed(exitNo, err)
	case err != nil:
		return p.failed(max(exitFailed, unreachable(err)), err)
	case !res.Verdict.Pass:
		p.Code = exitNo
	}
	return p
}

// tried trains the file and judges it against what is asked for.
func (e *env) tried(ctx context.Context, h *here, p *proposal, before earlier, o ciAsked, out string) (training.Result, error) {
	tell := e.steps(p.Model)
	p.How = o.judge(before)
	r := h.request
	if p.How == againstLive {
		res, err := e.againstLive(ctx, h, p, tell)
		none := fault.Is(err, fault.NotFound) || fault.Is(err, fault.Refused) && !stopped(res) // no version, or no rows that are new to it
		if o.against != "" || !none {
			return res, err
		}
		p.Notes = append(p.Notes, fmt.Sprintf("It is not compared with what is live at %s: %s.", e.url, oneLine(err)))
		if before.found {
			p.How = againstBase
		}
	}
	if p.How == againstBase {
		was, err := before.request(ctx, r, h.trainer.Blobs)
		if err == nil {
			err = h.runs(was.Recipe, out)
		}
		if err == nil {
			p.Against = fmt.Sprintf("the file as it is at %s, trained on the same rows", before.name())
			var res training.Result
			if res, err = h.trainer.Against(ctx, r, was, tell); err == nil || o.against != "" || !fault.Is(err, fault.Invalid) {
				return res, err
			}
		}
		if o.against != "" {
			return training.Result{}, err
		}
		p.Notes = append(p.Notes, fmt.Sprintf("It is not compared with the file as it is at %s: %s.", before.name(), oneLine(err)))
	}
	p.How = againstBaseline
	p.Against = "the baseline that the file names"
	return h.trainer.Run(ctx, r, nil, tell)
}

// againstLive judges it against the live version of the server; a NotFound fault where
// there is none.
func (e *env) againstLive(ctx context.Context, h *here, p *proposal, tell func(string)) (training.Result, error) {
	version, live, err := e.fetchLive(ctx, p.Model, h.trainer.Blobs)
	if err != nil {
		return training.Result{}, err
	}
	was, err := e.client().File(ctx, p.Model)
	if err != nil {
		return training.Result{}, err
	}
	p.since("it was applied at "+e.url, was.File, was.Pipeline)
	p.Against = fmt.Sprintf("the live version %s@%d at %s", p.Model, version, e.url)
	return h.trainer.Run(ctx, h.request, live, tell)
}

// judge is what the file is judged against.
func (o ciAsked) judge(before earlier) string {
	switch {
	case o.against != "":
		return o.against
	case o.asked:
		return againstLive
	case before.found:
		return againstBase
	}
	return againstBaseline
}

// command is what does the same again.
func (o ciAsked) command(path string) string {
	args := []string{"flyball", "ci", path}
	if o.commit != "" {
		args = append(args, "--base", o.commit)
	}
	if o.asked {
		args = append(args, "--url", o.url)
	}
	if o.against != "" {
		args = append(args, "--against", o.against)
	}
	if o.sample.Share > 0 {
		args = append(args, "--sample", o.share)
	}
	args = append(args, "--rows", fmt.Sprint(o.sample.Rows), "--seed", fmt.Sprint(o.sample.Seed), "--now", o.at.Format(time.RFC3339))
	for i, a := range args {
		args[i] = quoted(a)
	}
	return strings.Join(args, " ")
}

// quoted is an argument as a shell reads it.
func quoted(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// stopped reports whether a check of the data stopped the training.
func stopped(res training.Result) bool {
	for _, p := range res.Problems {
		if p.Severity == "stop" {
			return true
		}
	}
	return false
}

// steps tells on standard error where a work is: on a terminal each step over the one
// before, else a line now and then.
func (e *env) steps(model string) func(string) {
	if e.terminal {
		return e.progress()
	}
	var told time.Time
	return func(text string) {
		if text != "" && time.Since(told) > 5*time.Second {
			e.say("%s: %s", model, text)
			told = time.Now()
		}
	}
}
