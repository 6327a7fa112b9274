// SPDX-License-Identifier: Apache-2.0

// Package cli is the flyball command: one file a command. Results go to standard
// output, talk to standard error, and the exit code is the answer. It goes through
// package client, except where no server is needed. It holds no rule.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"flyball/client"
	"flyball/fault"
)

// The exit codes, the same for every command.
const (
	exitOK          = 0   // yes, done
	exitFailed      = 1   // failed
	exitUsage       = 2   // wrong usage
	exitNo          = 3   // the answer is no: gate failed, drift found, diff not empty
	exitDenied      = 4   // not allowed
	exitNotFound    = 5   // not found
	exitConflict    = 6   // waiting for approval, or conflict
	exitUnreachable = 7   // no server answers
	exitGoing       = 8   // still going
	exitInterrupted = 130 // Ctrl-C
)

// env is what a command runs in.
type env struct {
	in       io.Reader
	lines    *bufio.Reader // of in, where passwords are read from it; nil: not yet
	out, err io.Writer
	url      string
	token    string
	format   string
	asOf     time.Time // of which the command tells; zero: of now
	terminal bool      // standard output is one
}

// client asks the server in the name that FLYBALL_TOKEN says, else flyball login.
func (e *env) client() *client.Client {
	token := e.token
	if token == "" {
		token = secrets()[e.url]
	}
	return client.New(e.url, token, nil).AsOf(e.asOf)
}

// say talks to whoever runs the command.
func (e *env) say(format string, args ...any) { fmt.Fprintf(e.err, format+"\n", args...) }

// ended ends a command with that exit code; what there was to say is printed.
type ended int

func (code ended) Error() string { return fmt.Sprintf("exit code %d", int(code)) }

var (
	errNo    error = ended(exitNo)    // the answer is no
	errGoing error = ended(exitGoing) // still going when the wait ran out
)

// Main runs the command of args and returns its exit code.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &env{in: in, out: out, err: errs, token: os.Getenv("FLYBALL_TOKEN")}
	if f, ok := out.(*os.File); ok {
		e.terminal = term.IsTerminal(int(f.Fd()))
	}
	root := root(e)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && err != nil {
		return exitInterrupted
	}
	return e.code(err)
}

// code tells the error and turns it into an exit code.
func (e *env) code(err error) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[ended](err); ok {
		return int(code)
	}
	e.say("flyball: %v", err)
	return codeOf(err)
}

// codeOf is the exit code of what went wrong.
func codeOf(err error) int {
	if client.Unreachable(err) {
		return exitUnreachable
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		if usage(err) {
			return exitUsage
		}
		return exitFailed
	}
	switch f.Kind {
	case fault.Refused:
		return exitNo
	case fault.Denied, fault.Unauthenticated:
		return exitDenied
	case fault.NotFound:
		return exitNotFound
	case fault.Conflict, fault.Waiting:
		return exitConflict
	}
	return exitFailed
}

// usage reports whether err is cobra's complaint about how a command was written.
func usage(err error) bool {
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "accepts ", "requires ", "invalid argument", "flag needs", "required flag"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

func root(e *env) *cobra.Command {
	url := os.Getenv("FLYBALL_URL")
	if url == "" {
		url = "http://127.0.0.1:7180"
	}
	c := &cobra.Command{
		Use:           "flyball",
		Short:         "The loop for models that predict a number or a class from a table",
		Long:          "Flyball trains a model, proves it against a baseline, puts it live without a pause,\nwatches it, retrains it, and takes it back when it is worse.",
		Example:       "  flyball init bookings.csv --predict is_canceled > model.yaml\n  flyball train model.yaml\n  flyball serve\n  flyball apply model.yaml\n  flyball status --watch\n  flyball status --as-of 2026-03-16",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.PersistentFlags().StringVar(&e.url, "url", url, "address of the server (FLYBALL_URL)")
	c.PersistentFlags().StringVarP(&e.format, "output", "o", "table", "table, wide, json, yaml, csv or name")
	var moment string
	c.PersistentFlags().StringVar(&moment, "as-of", "", "tell how things stood then: a time such as 2026-03-16T14:06:00Z, or a date for its end in UTC")
	c.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return e.heedAsOf(cmd, moment) }
	c.AddGroup(&cobra.Group{ID: "loop", Title: "The loop:"}, &cobra.Group{ID: "use", Title: "Use:"},
		&cobra.Group{ID: "look", Title: "Look:"}, &cobra.Group{ID: "run", Title: "Run:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			c.AddCommand(cmd)
		}
	}
	add("loop", initCommand(e), applyCommand(e), diffCommand(e), trainCommand(e), rehearseCommand(e), compareCommand(e), gateCommand(e), ciCommand(e),
		promoteCommand(e), approvalsCommand(e), breakGlassCommand(e), rollbackCommand(e), retrainCommand(e), holdCommand(e), resumeCommand(e))
	add("use", predictCommand(e), explainCommand(e), dependenceCommand(e), labelCommand(e), reproduceCommand(e), testCommand(e), attestCommand(e))
	add("look", statusCommand(e), watchCommand(e), eventsCommand(e), runsCommand(e), versionsCommand(e), releasesCommand(e), driftCommand(e),
		scoreCommand(e), groupsCommand(e), maturityCommand(e), deliveryCommand(e), alertsCommand(e), ownersCommand(e), incidentsCommand(e), replicasCommand(e), digestCommand(e), predictionsCommand(e), pipelinesCommand(e), dataCommand(e), auditCommand(e), cardCommand(e), dossierCommand(e), evidenceCommand(e))
	add("run", serveCommand(e), demoCommand(e), importCommand(e), exportCommand(e), backupCommand(e), restoreCommand(e), upgradeCommand(e), gcCommand(e), forgetCommand(e), doctorCommand(e), loginCommand(e), logoutCommand(e), whoamiCommand(e), usersCommand(e), tokensCommand(e), schemaCommand(e), versionCommand(e), superviseCommand(), attemptCommand(e), fitCommand(e))
	c.InitDefaultCompletionCmd() // else cobra adds it later, without an example
	for _, cmd := range c.Commands() {
		if cmd.Name() == "completion" {
			cmd.GroupID, cmd.Example = "run", "  source <(flyball completion bash)"
		}
	}
	return c
}
