// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/store"
	"flyball/unit"
)

// grants reads roles as they are written: viewer, or ml-engineer:hotel-cancel for one model.
func grants(texts []string) []access.Grant {
	var out []access.Grant
	for _, text := range texts {
		role, model, _ := strings.Cut(text, ":")
		out = append(out, access.Grant{Role: role, Model: model})
	}
	return out
}

// told is a user's roles as they are written.
func told(gs []access.Grant) string {
	out := make([]string, len(gs))
	for i, g := range gs {
		out[i] = g.Role
		if g.Model != "" {
			out[i] += ":" + g.Model
		}
	}
	return strings.Join(out, " ")
}

// password asks for one: FLYBALL_PASSWORD, else the terminal, else a line of standard
// input. A new one is asked for twice on a terminal.
func (e *env) password(prompt string, again bool) (string, error) {
	if p := os.Getenv("FLYBALL_PASSWORD"); p != "" {
		return p, nil
	}
	in, ok := e.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		if e.lines == nil { // one for all, for it reads ahead
			e.lines = bufio.NewReader(io.LimitReader(e.in, 4096))
		}
		line, err := e.lines.ReadString('\n')
		if err != nil && line == "" {
			return "", fault.New(fault.Invalid, "there is no password").Do("type it on a terminal, send it to standard input, or set FLYBALL_PASSWORD")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	read := func(prompt string) (string, error) {
		fmt.Fprint(e.err, prompt+": ")
		raw, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(e.err)
		return string(raw), err
	}
	first, err := read(prompt)
	if err != nil || !again {
		return first, err
	}
	second, err := read(prompt + " again")
	if err == nil && first != second {
		err = fault.New(fault.Invalid, "the two are not the same")
	}
	return first, err
}

func usersCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "users", Short: "Who may what: people, programs and their roles", Args: cobra.NoArgs,
		Example: "  flyball users\n  flyball users add ana --role admin\n  flyball users roles",
		RunE: func(cmd *cobra.Command, _ []string) error {
			us, err := e.client().Users(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: []string{"name", "roles", "mail", "state", "since", "by"}}
			for _, u := range us {
				state := "active"
				if u.Disabled {
					state = "disabled"
				}
				t.add(u.Name, told(u.Grants), u.Mail, state, when(u.CreatedAt), u.CreatedBy)
			}
			return e.show(us, t)
		},
	}
	c.AddCommand(userAddCommand(e), userSetCommand(e), userPasswordCommand(e), userRolesCommand(e))
	return c
}

func userAddCommand(e *env) *cobra.Command {
	var roles []string
	var mail, dir string
	c := &cobra.Command{
		Use: "add NAME", Short: "Make a user. From the first one on, whoever asks has to sign in", Args: cobra.ExactArgs(1),
		Long: "Make a user. The password is asked for; programs, whose roles are those of machines,\nget none: give them a token. The first user must be an admin; with --data it is made in\nthe folder of a server that does not run, so that it can listen where others reach it.",
		Example: "  flyball users add ana --role admin --role ml-engineer\n  flyball users add bo --role data-scientist:hotel-cancel --mail bo@example.org\n" +
			"  flyball users add shop --role app:hotel-cancel\n  flyball users add ana --role admin --data /var/lib/flyball",
		RunE: func(cmd *cobra.Command, args []string) error {
			in := wire.User{Grants: grants(roles)}
			if mail != "" {
				in.Mail = &mail
			}
			u := access.User{Name: args[0], Grants: in.Grants, Mail: mail}
			if err := u.Check(); err != nil {
				return err
			}
			if !u.Machine() {
				p, err := e.password("password for "+args[0], true)
				if err == nil {
					err = access.CheckPassword(args[0], p)
				}
				if err != nil {
					return err
				}
				in.Password = &p
			}
			if err := e.addUser(cmd.Context(), dir, args[0], in); err != nil {
				return err
			}
			e.say("user %s is made", args[0])
			return nil
		},
	}
	c.Flags().StringArrayVar(&roles, "role", nil, "a role, or role:model for one model (may be repeated); see flyball users roles")
	c.Flags().StringVar(&mail, "mail", "", "mail address, for alerts and for signing in by the company's login")
	c.Flags().StringVar(&dir, "data", "", "make it in this data folder, which no server has open")
	_ = c.MarkFlagRequired("role")
	_ = c.RegisterFlagCompletionFunc("role", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, r := range access.Roles() {
			names = append(names, r.Name+"\t"+r.About)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// addUser makes the user at the server, or in a folder that no server has open.
func (e *env) addUser(ctx context.Context, dir, name string, in wire.User) error {
	if dir == "" {
		_, err := e.client().AddUser(ctx, name, in)
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the data folder %s cannot be made", dir)
	}
	dsn := os.Getenv("FLYBALL_DATABASE")
	if dsn == "" {
		dsn = filepath.Join(dir, "flyball.db")
	}
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	door, err := access.NewDirectory(ctx, access.Options{Store: db})
	if err != nil {
		return err
	}
	if door.Guarded() {
		return fault.New(fault.Denied, "%s has users already, who decide", dir).Do("start the server, and sign in as an admin")
	}
	_, err = door.AddUser(ctx, access.Local, name, in.Change())
	return err
}

func userSetCommand(e *env) *cobra.Command {
	var roles []string
	var mail string
	var disable, enable bool
	c := &cobra.Command{
		Use: "set NAME", Short: "Change a user's roles, mail or state", Args: cobra.ExactArgs(1),
		Example: "  flyball users set bo --role ml-engineer\n  flyball users set bo --disable",
		RunE: func(cmd *cobra.Command, args []string) error {
			var in wire.User
			if cmd.Flags().Changed("role") {
				in.Grants = grants(roles)
			}
			if cmd.Flags().Changed("mail") {
				in.Mail = &mail
			}
			if disable || enable {
				in.Disabled = &disable
			}
			u, err := e.client().SetUser(cmd.Context(), args[0], in)
			if err == nil {
				e.say("user %s: %s", u.Name, told(u.Grants))
			}
			return err
		},
	}
	c.Flags().StringArrayVar(&roles, "role", nil, "the roles from now on, in place of those before")
	c.Flags().StringVar(&mail, "mail", "", "mail address")
	c.Flags().BoolVar(&disable, "disable", false, "may do nothing any more; records keep the name")
	c.Flags().BoolVar(&enable, "enable", false, "may again")
	c.MarkFlagsMutuallyExclusive("disable", "enable")
	return c
}

func userPasswordCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "password [NAME]", Short: "Change one's own password, or that of another user as an admin", Args: cobra.MaximumNArgs(1),
		Example: "  flyball users password\n  flyball users password bo",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				p, err := e.password("new password for "+args[0], true)
				if err != nil {
					return err
				}
				_, err = e.client().SetUser(cmd.Context(), args[0], wire.User{Password: &p})
				return err
			}
			old, err := e.password("old password", false)
			if err != nil {
				return err
			}
			p, err := e.password("new password", true)
			if err != nil {
				return err
			}
			_, err = e.client().SetPassword(cmd.Context(), old, p)
			return err
		},
	}
}

func userRolesCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "roles", Short: "The roles that there are, and what each may", Args: cobra.NoArgs, Example: "  flyball users roles",
		RunE: func(*cobra.Command, []string) error {
			t := table{head: []string{"role", "for", "may", "about"}}
			for _, r := range access.Roles() {
				whom, may := "people", make([]string, len(r.May))
				if r.Machine {
					whom = "programs"
				}
				for i, p := range r.May {
					may[i] = string(p)
				}
				t.add(r.Name, whom, strings.Join(may, " "), r.About)
			}
			return e.show(access.Roles(), t)
		},
	}
}

func tokensCommand(e *env) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "tokens", Short: "Tokens by which programs sign in", Args: cobra.NoArgs,
		Example: "  flyball tokens\n  flyball tokens add --user shop --about 'the web shop' --for 90d\n  flyball tokens end 0f3a…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ts, err := e.client().Tokens(cmd.Context(), all)
			if err != nil {
				return err
			}
			t := table{head: []string{"id", "user", "about", "may", "models", "made", "good until", "state"}}
			for _, k := range ts {
				may := make([]string, len(k.Scope.May))
				for i, p := range k.Scope.May {
					may[i] = string(p)
				}
				state := "good"
				if k.EndedAt != nil {
					state = "taken back"
				}
				t.add(k.ID, k.User, k.About, strings.Join(may, " "), strings.Join(k.Scope.Models, " "), when(k.CreatedAt), when(k.ExpiresAt), state)
			}
			return e.show(ts, t)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "of all users, as an admin")
	c.AddCommand(tokenAddCommand(e), tokenEndCommand(e))
	return c
}

func tokenAddCommand(e *env) *cobra.Command {
	var in wire.Token
	var age string
	var may []string
	c := &cobra.Command{
		Use: "add", Short: "Make a token and print its secret, which is kept nowhere", Args: cobra.NoArgs,
		Example: "  flyball tokens add --about notebook\n  flyball tokens add --user shop --for 180d\n  flyball tokens add --may predict --model hotel-cancel",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if age != "" {
				d, err := unit.ParseDuration(age)
				if err != nil || d <= 0 {
					return fmt.Errorf("invalid argument %q for --for: a time such as 90d", age)
				}
				in.For = d
			}
			for _, p := range may {
				in.May = append(in.May, access.Permission(p))
			}
			k, err := e.client().AddToken(cmd.Context(), in)
			if err != nil {
				return err
			}
			if e.format == "json" || e.format == "yaml" {
				return e.show(k, table{})
			}
			e.say("token %s of %s, good until %s; keep it, it is not shown again", k.ID, k.User, when(k.ExpiresAt))
			_, err = fmt.Fprintln(e.out, k.Secret)
			return err
		},
	}
	c.Flags().StringVar(&in.User, "user", "", "whom it acts as, as an admin (default oneself)")
	c.Flags().StringVar(&in.About, "about", "", "what it is for")
	c.Flags().StringVar(&age, "for", "", "how long it is good, such as 180d (default 90d, at most a year)")
	c.Flags().StringArrayVar(&may, "may", nil, "a permission that it has at most (may be repeated; default all of its user's)")
	c.Flags().StringArrayVar(&in.Models, "model", nil, "a model that it is for (may be repeated; default all of its user's)")
	return c
}

func tokenEndCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "end ID", Short: "Take a token back", Args: cobra.ExactArgs(1), Example: "  flyball tokens end 0f3a52c1d2e3",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().EndToken(cmd.Context(), args[0])
			if err == nil {
				e.say("%s", got.Text)
			}
			return err
		},
	}
}
