// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/client"
	"flyball/fault"
	"flyball/unit"
)

// signedIn is the file that holds a token for each server that one signed in at.
func signedIn() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "there is no folder for settings: set FLYBALL_TOKEN instead")
	}
	return filepath.Join(dir, "flyball", "tokens.json"), nil
}

// secrets reads the file; none where there is no file.
func secrets() map[string]string {
	out := map[string]string{}
	path, err := signedIn()
	if err != nil {
		return out
	}
	raw, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return map[string]string{}
	}
	return out
}

// keepSecrets writes the file, for its owner alone.
func keepSecrets(all map[string]string) error {
	path, err := signedIn()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the token cannot be kept")
	}
	raw, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the token cannot be kept")
	}
	next := path + ".new"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the token cannot be kept")
	}
	return fault.Wrap(os.Rename(next, path), fault.Unavailable, "the token cannot be kept")
}

func loginCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "login NAME", Short: "Sign in at the server: later commands are sent in your name", Args: cobra.ExactArgs(1),
		Long:    "Sign in at the server. The password is asked for; what is kept, in your settings and for\nyou alone, is a token for 30 days that flyball logout takes back.",
		Example: "  flyball login ana\n  flyball login ana --url https://flyball.example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := e.password("password for "+args[0], false)
			if err != nil {
				return err
			}
			host, _ := os.Hostname()
			in := wire.Token{About: "flyball login on " + host, For: 30 * unit.Duration(24*time.Hour)}
			k, err := client.New(e.url, "", nil).As(args[0], p).AddToken(cmd.Context(), in)
			if err != nil {
				return err
			}
			all := secrets()
			all[e.url] = k.Secret
			if err := keepSecrets(all); err != nil {
				return err
			}
			e.say("%s is signed in at %s until %s", k.User, e.url, when(k.ExpiresAt))
			return nil
		},
	}
}

func logoutCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Take the token of flyball login back", Args: cobra.NoArgs, Example: "  flyball logout",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := secrets()
			secret, ok := all[e.url]
			if !ok {
				e.say("nobody is signed in at %s", e.url)
				return nil
			}
			c := client.New(e.url, secret, nil)
			me, err := c.Me(cmd.Context())
			if err == nil && me.Token != "" {
				_, err = c.EndToken(cmd.Context(), me.Token)
			}
			if err != nil && !fault.Is(err, fault.Unauthenticated) {
				return err
			}
			delete(all, e.url)
			if err := keepSecrets(all); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			e.say("signed out at %s", e.url)
			return nil
		},
	}
}

func whoamiCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Whom the server takes you for, and your roles", Args: cobra.NoArgs, Example: "  flyball whoami",
		RunE: func(cmd *cobra.Command, _ []string) error {
			me, err := e.client().Me(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: []string{"name", "by", "roles"}}
			roles := told(me.Grants)
			if !me.Guarded {
				roles = "everything: there are no users yet"
			}
			t.add(me.Name, fmt.Sprint(me.Via), roles)
			return e.show(me, t)
		},
	}
}
