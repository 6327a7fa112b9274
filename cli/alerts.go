// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/app"
	"flyball/data/frame"
	"flyball/governance/alert"
	"flyball/unit"
)

func alertsCommand(e *env) *cobra.Command {
	var past bool
	c := &cobra.Command{
		Use: "alerts [MODEL]", Short: "What is wrong, and whom it was told (exit 3: something is)", Args: cobra.MaximumNArgs(1),
		Example: "  flyball alerts\n  flyball alerts hotel-cancel --all -o wide\n  flyball alerts ack 3f2a90b1c4 --why \"the source is late\"\n  flyball alerts silence hotel-cancel --for 2h --why \"the database moves\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := e.client().Alerts(cmd.Context(), strings.Join(args, ""), !past)
			if err != nil {
				return err
			}
			t := table{head: []string{"id", "since", "until", "model", "kind", "what", "duty", "told", "acknowledged", "of", "severity", "owner", "backup", "within"}, short: 9}
			open := false
			for _, a := range all {
				open = open || a.Closed.IsZero()
				t.add(a.ID, when(a.Opened), when(a.Closed), a.Model, a.Kind, a.Text, a.Duty, toldOf(a), ackOf(a), a.Subject, a.Severity, a.Owner, a.Backup, a.Within.String())
			}
			if err := e.show(all, t); err != nil {
				return err
			}
			e.advise(all)
			if open {
				return errNo
			}
			return nil
		},
	}
	c.Flags().BoolVar(&past, "all", false, "also those that are over")
	c.AddCommand(alertAckCommand(e), alertSilenceCommand(e))
	return c
}

// alertFlags are where a server sends alerts. What is secret comes from the environment.
func alertFlags(c *cobra.Command, cfg *app.Config) {
	f := c.Flags()
	f.StringVar(&cfg.Alerts.Webhook, "alert-webhook", "", "send alerts to this address as JSON, signed by FLYBALL_WEBHOOK_SECRET; to a chat, by the address in FLYBALL_SLACK_URL")
	f.StringVar(&cfg.Alerts.Events, "event-webhook", "", "send what happens to models to this address as JSON, such as trained, release and drift, signed by FLYBALL_WEBHOOK_SECRET")
	f.BoolVar(&cfg.Alerts.Private, "alert-private", false, "let webhook and chat lie outside of the public network, and speak HTTP without TLS")
	f.StringVar(&cfg.Alerts.SMTP, "smtp", "", "send alerts by mail through this server, such as mail.example.org:587; its password comes from FLYBALL_SMTP_PASSWORD, its user from FLYBALL_SMTP_USER (default --mail-from)")
	f.StringVar(&cfg.Alerts.From, "mail-from", "", "the address that mails come from")
	f.StringVar(&cfg.External, "url", "", "the server's address as people reach it, such as https://flyball.example.org: messages then have links to it (default none)")
	f.StringVar(&cfg.Quiet, "quiet", "", "hours in which nobody is told but for the duty fix, such as \"22:00-07:00\" or \"22:00-07:00 Europe/Berlin\" (default none)")
}

func alertSecrets(cfg *app.Config) {
	a := &cfg.Alerts
	a.Secret, a.Slack = os.Getenv("FLYBALL_WEBHOOK_SECRET"), os.Getenv("FLYBALL_SLACK_URL")
	a.User, a.Password = os.Getenv("FLYBALL_SMTP_USER"), os.Getenv("FLYBALL_SMTP_PASSWORD")
}

// toldOf says whom an alert was told, and when.
func toldOf(a wire.Alert) string {
	var out []string
	for _, s := range a.Told {
		if s.As != alert.Over {
			out = append(out, fmt.Sprintf("%s %s (%s)", s.Who, s.At.UTC().Format("15:04"), strings.Join(s.Ways, ", ")))
		}
	}
	switch {
	case len(out) > 0:
		return strings.Join(out, "; ")
	case !a.Silenced.IsZero() && a.Closed.IsZero():
		return "silenced until " + when(a.Silenced)
	}
	return "-"
}

func ackOf(a wire.Alert) string {
	if a.Acked == nil {
		return "-"
	}
	return a.Acked.By + " " + when(a.Acked.At)
}

// advise says below a table what each alert that is open means, and what to do first.
func (e *env) advise(all []wire.Alert) {
	if e.format != "table" && e.format != "wide" {
		return
	}
	for _, a := range all {
		if a.Advice == nil || !a.Closed.IsZero() {
			continue
		}
		fmt.Fprintf(e.out, "\n%s: %s\n", a.Subject, a.Advice.Diagnosis)
		for i, c := range a.Advice.Causes {
			word := "  it may come of "
			if i > 0 {
				word = "  or of          "
			}
			fmt.Fprintln(e.out, word+c)
		}
		fmt.Fprintf(e.out, "  for duty       %s\n  run first      %s\n", a.Duty, a.Advice.Command)
	}
}

func alertAckCommand(e *env) *cobra.Command {
	var why string
	c := &cobra.Command{
		Use: "ack ID", Short: "Take an alert, so that nobody else is told", Args: cobra.ExactArgs(1),
		Example: "  flyball alerts ack 3f2a90b1c4 --why \"the source is late\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().AckAlert(cmd.Context(), args[0], why)
			if err == nil {
				_, err = fmt.Fprintln(e.out, got.Text)
			}
			return err
		},
	}
	c.Flags().StringVar(&why, "why", "", "a sentence for the record")
	return c
}

func alertSilenceCommand(e *env) *cobra.Command {
	var why, lasts string
	c := &cobra.Command{
		Use: "silence MODEL", Short: "Have a model's alerts not told for a while", Args: cobra.ExactArgs(1),
		Long:    "Has nobody told of a model's alerts for a while, a week at most. They are opened and shown all the same, and who was not told by then is told when\nthe silence ends. --for 0s ends one.",
		Example: "  flyball alerts silence hotel-cancel --for 2h --why \"the database moves\"\n  flyball alerts silence hotel-cancel --for 0s",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := unit.ParseDuration(lasts)
			if err != nil {
				return fmt.Errorf("invalid argument %q for --for: a time such as 2h", lasts)
			}
			got, err := e.client().Silence(cmd.Context(), args[0], why, d.D())
			if err == nil {
				_, err = fmt.Fprintln(e.out, got.Text)
			}
			return err
		},
	}
	c.Flags().StringVar(&lasts, "for", "", "how long, such as 2h or 3d")
	c.Flags().StringVar(&why, "why", "", "the reason, for the record")
	_ = c.MarkFlagRequired("for")
	return c
}

// awayCommand says that somebody cannot be called. Times are in UTC, as rotas are.
func awayCommand(e *env) *cobra.Command {
	var from, to, why string
	c := &cobra.Command{
		Use: "away PERSON", Short: "Say that somebody cannot be called for a while, in UTC: the next one has their duties", Args: cobra.ExactArgs(1),
		Long: "Says from when to when somebody cannot be called, in the place of what was said of them before. Duties with a rota go to the\n" +
			"next whose turn it would be, others to the backup. It is refused where nobody would have a duty (exit 3).\n" +
			"--to now ends an absence.",
		Example: "  flyball owners away bo --from 2026-08-03 --to 2026-08-17\n  flyball owners away bo --to now",
		RunE: func(cmd *cobra.Command, args []string) error {
			clock, err := e.client().Clock(cmd.Context())
			if err != nil {
				return err
			}
			now := clock.Now.UTC()
			begin, err := momentOf(from, now)
			if err != nil {
				return fmt.Errorf("invalid argument for --from: %w", err)
			}
			end, err := momentOf(to, now)
			if err != nil {
				return fmt.Errorf("invalid argument for --to: %w", err)
			}
			if to == "now" {
				begin = end.Add(-time.Second)
			}
			got, err := e.client().Away(cmd.Context(), wire.Away{Person: args[0], From: begin, To: end, Why: why})
			if err == nil {
				_, err = fmt.Fprintln(e.out, got.Text)
			}
			return err
		},
	}
	c.Flags().StringVar(&from, "from", "now", "the first moment, such as 2026-08-03 or 2026-08-03T17:00, in UTC")
	c.Flags().StringVar(&to, "to", "", "when they are back, in UTC; now: they are")
	c.Flags().StringVar(&why, "why", "", "the reason, for the record")
	_ = c.MarkFlagRequired("to")
	return c
}

// momentOf is a time in UTC as people write it.
func momentOf(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	us, err := frame.ParseTime(text)
	return time.UnixMicro(us).UTC(), err
}

func ownersCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "owners [MODEL]", Short: "Who has which duty (exit 3: nobody may come when one calls)", Args: cobra.MaximumNArgs(1),
		Example: "  flyball owners\n  flyball owners hotel-cancel -o wide\n  flyball owners away bo --from 2026-08-03 --to 2026-08-17",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := e.client().Owners(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			t := table{head: []string{"model", "live", "duty", "owner", "until (UTC)", "backup", "within", "away", "holes"}}
			for _, o := range all {
				until := "-"
				if o.Until != nil {
					until = o.Until.UTC().Format("2 Jan 15:04")
				}
				t.add(o.Model, versionName(o.Live), o.Duty, orDash(o.Owner), until, orDash(o.Backup), o.Within.String(), strings.Join(o.Away, ", "), strings.Join(o.Holes, ", "))
			}
			if err := e.show(all, t); err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(o wire.Owner) bool { return o.Live != 0 && len(o.Holes) > 0 }) {
				return errNo
			}
			return nil
		},
	}
	c.AddCommand(awayCommand(e))
	return c
}

func digestCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "digest", Short: "What the loop did in the last seven days, and what waits for whom", Args: cobra.NoArgs,
		Example: "  flyball digest\n  flyball digest -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := e.client().Digest(cmd.Context())
			if err != nil {
				return err
			}
			if e.format == "table" || e.format == "wide" {
				_, err = fmt.Fprint(e.out, d.String())
				return err
			}
			t := table{head: []string{"who", "model", "what", "command"}}
			for _, w := range d.Waits {
				t.add(orDash(w.Who), w.Model, w.Text, w.Command)
			}
			return e.show(d, t)
		},
	}
}
