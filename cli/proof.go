// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"flyball/fault"
)

func cardCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "card MODEL[@VERSION]", Short: "The model card of a version (-o markdown, html, json, hf)", Args: cobra.ExactArgs(1),
		Long: "What is recorded of a version is derived: what it is for, how good it is with intervals and by slice, what it was made\n" +
			"from and how, its releases, and what the monitors found since. Six fields are people's to write, under card and risk in\n" +
			"the model file; the card names those that are missing. Without a version it is that of the live one.\n\n" +
			"With -o hf it begins with the metadata of Hugging Face, and may lie as README.md beside the model.",
		Example: "  flyball card hotel-cancel\n  flyball card hotel-cancel@7 -o html > card.html\n  flyball card hotel-cancel@7 -o hf > README.md",
		RunE: func(cmd *cobra.Command, args []string) error {
			format := e.format
			switch format {
			case "table", "wide":
				format = "markdown"
			case "markdown", "html", "json", "hf":
			default:
				return fault.New(fault.Invalid, "a card is markdown, html, json or hf, not %s", format)
			}
			v, err := e.version(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.client().Card(cmd.Context(), v.Model, v.Version, format, e.out)
		},
	}
}

func dossierCommand(e *env) *cobra.Command {
	var model, to string
	c := &cobra.Command{
		Use: "dossier MODEL@VERSION|PREDICTION", Short: "All that is held about a version or a prediction, in one file that opens offline", Args: cobra.ExactArgs(1),
		Long: "One page with all it needs inside: no script, no request to anywhere, made to be printed. Of a prediction: what was asked\n" +
			"and answered, why, under which route, what became true, and the row scored again by the version that answered, opened\n" +
			"from its bundle: it says whether the scores are equal to the last bit. Then, as for a version: the model card, the\n" +
			"verdict of the gate, the digests of all that went in, and who changed what, with the hashes of the audit chain.\n\n" +
			"With --model the argument is the id of a prediction, or a key of which the newest is meant. Without it, what has an @ is a\n" +
			"version. A file whose name ends in .json holds the same as JSON.",
		Example: "  flyball dossier b-17 --model hotel-cancel -o b-17.html\n  flyball dossier hotel-cancel@7 -o v7.html\n  flyball dossier hotel-cancel@live -o live.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			format := "html"
			if strings.HasSuffix(to, ".json") {
				format = "json"
			}
			if to == "" || to == "-" {
				return e.dossier(cmd.Context(), args[0], model, format, e.out)
			}
			var b bytes.Buffer // so that a refusal leaves no file
			if err := e.dossier(cmd.Context(), args[0], model, format, &b); err != nil {
				return err
			}
			if err := os.WriteFile(to, b.Bytes(), 0o600); err != nil { // it may hold a person's row
				return fault.Wrap(err, fault.Invalid, "%s cannot be written", to)
			}
			e.say("%s has %d bytes and needs nothing else", to, b.Len())
			return nil
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "", "the model of a prediction; not needed where there is one")
	c.Flags().StringVarP(&to, "output", "o", "", "the file to write; empty: standard output")
	return c
}

func evidenceCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "evidence", Short: "What is recorded of a model, by the headings of a law or a standard",
		Example: "  flyball evidence export hotel-cancel --profile ai-act -o markdown > evidence.md",
	}
	c.AddCommand(evidenceExportCommand(e))
	return c
}

func evidenceExportCommand(e *env) *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "export [MODEL]", Short: "What is held and what is missing under each heading (-o markdown, html, json)", Args: cobra.MaximumNArgs(1),
		Long: "The same records, sorted into the headings of a document: the EU AI Act (ai-act), SR 26-2 (sr-26-2), ISO/IEC 42001\n" +
			"(iso-42001) or NIST's AI Risk Management Framework (nist). Under each stands what is held and where, and what is missing\n" +
			"and what would give it. It claims nothing: whether a heading is satisfied is not for a program to say.",
		Example: "  flyball evidence export hotel-cancel --profile ai-act -o markdown > evidence.md\n  flyball evidence export --profile sr-26-2 -o html > evidence.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			format := e.format
			switch format {
			case "table", "wide":
				format = "markdown"
			case "markdown", "html", "json":
			default:
				return fault.New(fault.Invalid, "evidence is markdown, html or json, not %s", format)
			}
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			return e.client().Evidence(cmd.Context(), model, profile, format, e.out)
		},
	}
	c.Flags().StringVar(&profile, "profile", "", "whose headings: ai-act, sr-26-2, iso-42001 or nist")
	_ = c.MarkFlagRequired("profile")
	c.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"ai-act", "sr-26-2", "iso-42001", "nist"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// dossier writes the dossier of a version, or of a prediction.
func (e *env) dossier(ctx context.Context, name, model, format string, w io.Writer) error {
	if model == "" && strings.Contains(name, "@") {
		v, err := e.version(ctx, name)
		if err != nil {
			return err
		}
		return e.client().VersionDossier(ctx, v.Model, v.Version, format, w)
	}
	var named []string
	if model != "" {
		named = []string{model}
	}
	model, err := e.model(ctx, named)
	if err != nil {
		return err
	}
	return e.client().PredictionDossier(ctx, model, name, format, w)
}
