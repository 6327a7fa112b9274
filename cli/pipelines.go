// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/spec"
)

func pipelinesCommand(e *env) *cobra.Command {
	list := func(cmd *cobra.Command, args []string) error {
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		got, err := e.client().Pipelines(cmd.Context(), name)
		if err != nil {
			return err
		}
		t := table{head: []string{"pipeline", "applied", "by", "used by", "digest"}, short: 4}
		for _, p := range got {
			t.add(fmt.Sprintf("%s@%d", p.Name, p.Version), when(p.AppliedAt), p.AppliedBy, dash(strings.Join(p.Models, ", ")), p.Digest[:12])
		}
		return e.show(got, t)
	}
	c := &cobra.Command{
		Use: "pipelines", Short: "Pipeline files that models share, with their versions", Args: cobra.NoArgs,
		Long: "Pipeline files (kind: Pipeline) that models share. Each text that was applied is a version;\n" +
			"flyball apply of a pipeline file gives its newest version to every model that names it.",
		Example: "  flyball pipelines\n  flyball pipelines list hotel-features\n  flyball pipelines show hotel-features@2\n  flyball pipelines diff hotel-features@1",
		RunE:    list,
	}
	c.AddCommand(&cobra.Command{
		Use: "list [NAME]", Short: "The newest version of each, and those in use; of a name: all", Args: cobra.MaximumNArgs(1),
		Example: "  flyball pipelines list\n  flyball pipelines list hotel-features -o json",
		RunE:    list,
	}, showPipelineCommand(e), diffPipelinesCommand(e), exportPipelineCommand(e), transformCommand(e))
	return c
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func showPipelineCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME[@VERSION]", Short: "The text of a version, the newest if none is named", Args: cobra.ExactArgs(1),
		Example: "  flyball pipelines show hotel-features\n  flyball pipelines show hotel-features@1 > hotel-features.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, version, err := pipelineName(args[0])
			if err != nil {
				return err
			}
			all, err := e.client().Pipelines(cmd.Context(), name)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(p wire.PipelineUse) bool { return p.Version == version || version == 0 && p.Newest })
			if i < 0 {
				return fault.New(fault.NotFound, "there is no version %d of the pipeline %s", version, name)
			}
			if e.format != "table" && e.format != "wide" {
				return e.show(all[i], table{head: []string{"pipeline"}, rows: [][]string{{fmt.Sprintf("%s@%d", name, all[i].Version)}}})
			}
			e.say("%s@%d, applied %s by %s; used by %s", name, all[i].Version, when(all[i].AppliedAt), all[i].AppliedBy, dash(strings.Join(all[i].Models, ", ")))
			_, err = io.WriteString(e.out, all[i].File)
			return err
		},
	}
}

func diffPipelinesCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "diff NAME[@VERSION] [NAME[@VERSION]]", Short: "What one version has that another had not (exit 3: something)", Args: cobra.RangeArgs(1, 2),
		Long:    "Compares two versions of one pipeline, step by step. Without a second name, with the newest.\nNames the models that each version touches.\nWhat a file would change is told by flyball diff FILE.",
		Example: "  flyball pipelines diff hotel-features@1\n  flyball pipelines diff hotel-features@1 hotel-features@3",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, from, err := pipelineName(args[0])
			if err != nil {
				return err
			}
			to := 0
			if len(args) == 2 {
				other, version, err := pipelineName(args[1])
				if err != nil {
					return err
				}
				if to = version; other != name {
					return fault.New(fault.Invalid, "%s and %s are two pipelines", name, other).Do("name two versions of one")
				}
			}
			got, err := e.client().DiffPipelines(cmd.Context(), name, from, to)
			if err != nil {
				return err
			}
			t := table{head: []string{"", "what"}}
			for _, c := range got {
				t.add(c.Mark, c.Text)
			}
			if e.format == "table" || e.format == "wide" {
				for _, c := range got {
					fmt.Fprintln(e.out, tidy([]string{c.String()}))
				}
			} else if err := e.show(got, t); err != nil {
				return err
			}
			if len(got) == 0 {
				e.say("no difference")
				return nil
			}
			if err := e.sayUsers(cmd.Context(), name); err != nil {
				return err
			}
			return errNo
		},
	}
}

// sayUsers tells which models train with which version of a pipeline.
func (e *env) sayUsers(ctx context.Context, name string) error {
	all, err := e.client().Pipelines(ctx, name)
	for _, p := range all {
		if len(p.Models) > 0 {
			e.say("%s@%d is that of %s", p.Name, p.Version, strings.Join(p.Models, ", "))
		}
	}
	return err
}

// pipelineName reads name or name@version; 0 is the newest.
func pipelineName(s string) (string, int, error) {
	name, number, given := strings.Cut(s, "@")
	if !given {
		return name, 0, nil
	}
	v, err := strconv.Atoi(number)
	if err != nil || v < 1 {
		return "", 0, fault.New(fault.Invalid, "%q is not a version of a pipeline", s).Do("write it as hotel-features@2")
	}
	return name, v, nil
}

// pipelineFile reads a file when it is a pipeline's; false for any other.
func pipelineFile(path string) (wire.ApplyPipeline, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return wire.ApplyPipeline{}, false // whoever reads it as a model says what is wrong
	}
	f, err := spec.Parse(path, raw)
	if err != nil || f.Pipeline == nil {
		return wire.ApplyPipeline{}, false
	}
	return wire.ApplyPipeline{Name: path, File: string(raw)}, true
}

// applyPipeline applies a pipeline file, or says what that would change.
func (e *env) applyPipeline(ctx context.Context, a wire.ApplyPipeline) error {
	got, err := e.client().ApplyPipeline(ctx, a)
	if err != nil {
		return err
	}
	for _, w := range got.Warnings {
		e.say("warning: %s", w)
	}
	word := map[[2]bool]string{{true, true}: "would change", {true, false}: "applied", {false, true}: "would not change", {false, false}: "unchanged"}[[2]bool{got.Changed, a.DryRun}]
	_, err = fmt.Fprintf(e.out, "%s@%d %s\n", got.Name, got.Version, word)
	for _, m := range got.Models {
		e.say("%s trains with it from now on", m)
	}
	return err
}

// diffPipeline says what applying a pipeline file would change, and for which model.
func (e *env) diffPipeline(ctx context.Context, a wire.ApplyPipeline) error {
	a.DryRun = true
	got, err := e.client().ApplyPipeline(ctx, a)
	if err != nil {
		return err
	}
	if e.format == "json" || e.format == "yaml" {
		if err := e.show(got, table{}); err != nil {
			return err
		}
	} else {
		for _, c := range got.Changes {
			fmt.Fprintln(e.out, tidy([]string{c.String()}))
		}
		for _, m := range got.Features {
			if fmt.Fprintf(e.out, "for %s, which has version %d:\n", m.Model, m.Version); len(m.Changes) == 0 {
				fmt.Fprintln(e.out, "  another text, the same steps")
			}
			for _, c := range m.Changes {
				fmt.Fprintln(e.out, "  "+tidy([]string{c.String()}))
			}
		}
	}
	if got.Changed {
		return errNo
	}
	return nil
}
