// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/app"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/spec"
	"flyball/store"
	"flyball/unit"
)

// version is of this build: the module's, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "devel"
}

func versionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Which Flyball this is", Args: cobra.NoArgs, Example: "  flyball version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(e.out, "flyball", version())
			return err
		},
	}
}

// dataDir is where a server keeps everything: FLYBALL_DATA, or ./flyball-data.
func dataDir() string {
	if d := os.Getenv("FLYBALL_DATA"); d != "" {
		return d
	}
	return "flyball-data"
}

func serveCommand(e *env) *cobra.Command {
	var cfg app.Config
	var clock, level string
	var bounds limits
	c := &cobra.Command{
		Use: "serve", Short: "Run the server: the loop, predictions, pages", Args: cobra.NoArgs,
		Long: "Without --role one process does everything. Where one machine is not enough, processes of --role control decide (several may run on one\n" +
			"PostgreSQL and one bucket: one leads, the others stand by and forward to it), and processes of --role serve answer predictions.",
		Example: "  flyball serve\n  flyball serve --data /var/lib/flyball --listen 127.0.0.1:7180\n  FLYBALL_DATABASE='host=/run/postgresql dbname=flyball' flyball serve\n  FLYBALL_DATABASE=postgres://db/flyball FLYBALL_BUCKET=s3://models flyball serve --role control --advertise http://control-1:7180\n  FLYBALL_BUCKET=s3://models FLYBALL_CONTROL=http://control-1:7180,http://control-2:7180 flyball serve --role serve",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("invalid argument %q for --log: debug, info, warn or error", level)
			}
			cfg.Logger = slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{Level: l}))
			cfg.Version, cfg.Database, cfg.OIDCSecret, cfg.Token = version(), os.Getenv("FLYBALL_DATABASE"), os.Getenv("FLYBALL_OIDC_SECRET"), e.token
			alertSecrets(&cfg)
			if clock != "" {
				us, err := frame.ParseTime(clock)
				if err != nil {
					return err
				}
				cfg.Manual, cfg.Start = true, time.UnixMicro(us).UTC()
			}
			if err := bounds.into(&cfg); err != nil {
				return err
			}
			if !cmd.Flags().Changed("grpc") {
				cfg.GRPC = app.GRPCAddress(cfg.Listen)
			}
			a, where, err := process(cmd.Context(), &cfg)
			if err != nil {
				return err
			}
			e.say("%s, data in %s; Ctrl-C stops it", where, cfg.Data)
			if err := tellReady(); err != nil {
				cfg.Logger.Warn("systemd was not told that the server answers", "error", err)
			}
			err = a.Run(cmd.Context())
			if closed := a.Close(); err == nil {
				err = closed
			}
			return err
		},
	}
	roleFlags(c, &cfg)
	c.Flags().StringVar(&cfg.Data, "data", dataDir(), "folder of everything that is kept (FLYBALL_DATA)")
	c.Flags().StringVar(&cfg.Listen, "listen", "127.0.0.1:7180", "address to answer at; of this machine only, until there are users (flyball users add)")
	c.Flags().StringVar(&cfg.Cert, "tls-cert", "", "file with the certificate and its chain, in PEM: HTTP and gRPC over TLS; a renewed one is taken within a minute")
	c.Flags().StringVar(&cfg.Key, "tls-key", "", "file with the certificate's key")
	c.Flags().StringVar(&cfg.OIDCIssuer, "oidc-issuer", "", "address of the company's login, by OpenID Connect: users sign in there and are known by their mail address")
	c.Flags().StringVar(&cfg.OIDCClient, "oidc-client", "", "the client's id there; its secret comes from FLYBALL_OIDC_SECRET")
	c.Flags().IntVar(&cfg.Changes, "changes", 600, "most changes that one caller may make in a minute, where there are users (0: no bound); predictions and what is logged are not counted")
	c.Flags().StringVar(&cfg.GRPC, "grpc", "127.0.0.1:7181", "address to answer gRPC at (Open Inference Protocol); empty: none; else the port after that of --listen")
	c.Flags().StringArrayVar(&cfg.Hosts, "host", nil, "another name of the server, as a proxy before it asks for (may be repeated)")
	c.Flags().StringArrayVar(&cfg.Locations, "artifact-location", nil, "where experiments may keep their files besides here, such as s3://team/mlflow (may be repeated); clients write there with their own keys")
	c.Flags().StringVar(&cfg.Python, "python", "", "score models that need Python in processes of this interpreter, or of environments that uv makes: \"uv\" (default none: they are refused); whoever may register a model then runs code here")
	c.Flags().IntVar(&cfg.PythonWorkers, "python-workers", 1, "Python processes of one model")
	c.Flags().StringArrayVar(&cfg.Sources, "source", nil, "let model files read their data there: s3://bucket/prefix or postgres://host/database (may be repeated); keys and passwords come from the environment (AWS_…, PG…)")
	c.Flags().StringArrayVar(&cfg.Executors, "executor", nil, "run the programs that model files train by: local, slurm, kubernetes or ray (may be repeated; default none: they are refused); whoever may apply a model file then runs code there")
	c.Flags().StringVar(&cfg.ExecutorsFile, "executors", "", "YAML file that says how the engines of clusters are reached; those that it has a section for are executors (docs/executors.md)")
	bounds.add(c)
	alertFlags(c, &cfg)
	c.Flags().StringVar(&clock, "clock", "", "for replays of history: begin at this time, and move only by POST /v1/clock")
	c.Flags().BoolVar(&cfg.AccessLog, "access-log", false, "log a line for each request, without its rows")
	c.Flags().StringVar(&level, "log", "info", "debug, info, warn or error")
	return c
}

// server is a process that serves, of any role.
type server interface {
	Run(ctx context.Context) error
	Close() error
}

// process makes the server of a role, and says where it is.
func process(ctx context.Context, cfg *app.Config) (server, string, error) {
	switch cfg.Role {
	case "", "all":
		a, err := app.New(ctx, *cfg)
		if err != nil {
			return nil, "", err
		}
		where := "flyball serves at " + a.URL()
		if at := a.GRPC(); at != "" {
			where += ", gRPC at " + at
		}
		return a, where, nil
	case "control":
		a, err := app.NewControl(ctx, *cfg)
		if err != nil {
			return nil, "", err
		}
		return a, "flyball decides, or stands by, at " + a.URL(), nil
	case "serve":
		a, err := app.NewReplica(ctx, *cfg)
		if err != nil {
			return nil, "", err
		}
		return a, "flyball answers predictions at " + a.URL(), nil
	}
	return nil, "", fmt.Errorf("invalid argument %q for --role: all, control or serve", cfg.Role)
}

// roleFlags are those of processes that are one of several.
func roleFlags(c *cobra.Command, cfg *app.Config) {
	f := c.Flags()
	f.StringVar(&cfg.Role, "role", "all", "all, control (decide) or serve (answer predictions as those that decide say)")
	f.StringVar(&cfg.Bucket, "bucket", os.Getenv("FLYBALL_BUCKET"), "s3://bucket/prefix or file:///folder for models, predictions and the files of jobs, shared by all processes (FLYBALL_BUCKET; default the data folder)")
	f.StringArrayVar(&cfg.Control, "control", list(os.Getenv("FLYBALL_CONTROL")), "of --role serve: where a process decides, such as http://control-1:7180 (may be repeated; FLYBALL_CONTROL, with commas); FLYBALL_TOKEN is what it is shown")
	f.StringVar(&cfg.Name, "name", "", "name of this process among all (default the machine's)")
	f.StringVar(&cfg.Advertise, "advertise", "", "of --role control: where the other processes reach this one, such as http://control-1:7180 (default as it listens)")
	f.DurationVar(&cfg.Skew, "clock-skew", 0, "be wrong about the time, for tests")
	_ = f.MarkHidden("clock-skew") // it is a flag of this command
}

// list is a text cut at its commas; nothing is an empty list.
func list(s string) []string {
	return slices.DeleteFunc(strings.Split(s, ","), func(x string) bool { return x == "" })
}

// limits are what bounds the space and the time that a server takes, as it is written.
type limits struct{ artifacts, deleted, predictions, days, audit, memory, python, drain string }

func (l *limits) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&l.artifacts, "artifact-quota", "", "most bytes of files of one run or logged model, such as 20GB (default no bound)")
	f.StringVar(&l.deleted, "keep-deleted", "", "remove for good, every day, what was deleted longer ago than this, such as 30d (default only by flyball gc)")
	f.StringVar(&l.days, "keep-predictions", "", "remove predictions, and labels, that are older than this, such as 730d (default none)")
	f.StringVar(&l.audit, "keep-audit", "", "remove the groups that came beside predictions when those are older than this, such as 180d (default with the predictions)")
	f.StringVar(&l.predictions, "predictions-quota", "", "most bytes of sealed predictions, such as 200GB: the oldest days go first (default no bound)")
	f.StringVar(&l.memory, "model-memory", "", "most memory of models that are scored by version or alias, or have no model file, such as 8GB (default a quarter of the machine's)")
	f.StringVar(&l.python, "python-memory", "", "most address space of one Python process, such as 4GB (default half of the machine's memory)")
	f.StringVar(&l.drain, "drain-delay", "", "on a stop, go on answering for so long after saying that it is not ready, such as 10s (default 5s with --host, else 0s)")
}

// into reads them into the configuration.
func (l *limits) into(cfg *app.Config) error {
	for _, b := range []struct {
		flag, text string
		to         *int64
	}{{"artifact-quota", l.artifacts, &cfg.Quota}, {"predictions-quota", l.predictions, &cfg.PredictionsBytes}, {"model-memory", l.memory, &cfg.ModelMemory}, {"python-memory", l.python, &cfg.PythonMemory}} {
		if b.text == "" {
			continue
		}
		n, err := unit.ParseBytes(b.text)
		if err != nil || n <= 0 {
			return fmt.Errorf("invalid argument %q for --%s: a size such as 500MB or 20GB", b.text, b.flag)
		}
		*b.to = int64(n)
	}
	if l.drain != "" {
		d, err := unit.ParseDuration(l.drain)
		if err != nil || d < 0 {
			return fmt.Errorf("invalid argument %q for --drain-delay: a time such as 10s", l.drain)
		}
		delay := d.D()
		cfg.DrainDelay = &delay
	}
	for _, b := range []struct {
		flag, text string
		to         *time.Duration
	}{{"keep-deleted", l.deleted, &cfg.Keep}, {"keep-predictions", l.days, &cfg.PredictionsFor}, {"keep-audit", l.audit, &cfg.AuditFor}} {
		if b.text == "" {
			continue
		}
		d, err := unit.ParseDuration(b.text)
		if err != nil || d <= 0 {
			return fmt.Errorf("invalid argument %q for --%s: a time such as 30d", b.text, b.flag)
		}
		*b.to = d.D()
	}
	return nil
}

func schemaCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "The JSON Schema of a model file, for editors", Args: cobra.NoArgs,
		Example: "  flyball schema > flyball.schema.json",
		RunE: func(*cobra.Command, []string) error {
			raw, err := spec.Schema()
			if err == nil {
				_, err = fmt.Fprintln(e.out, string(raw))
			}
			return err
		},
	}
}

func doctorCommand(e *env) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "doctor", Short: "Check the server, or a data folder that no server has open", Args: cobra.NoArgs,
		Example: "  flyball doctor\n  flyball doctor --data ./flyball-data",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := table{head: []string{"what", "state", "detail"}}
			bad := false
			note := func(what string, err error, detail string) {
				state := "ok"
				switch {
				case fault.Is(err, fault.Denied): // nothing is wrong, but who asks may not look
					state, detail = "not seen", err.Error()
				case err != nil:
					state, detail, bad = "BROKEN", err.Error(), true
				}
				t.add(what, state, detail)
			}
			if dir == "" {
				h, err := e.client().Health(cmd.Context())
				note("server", err, "version "+h.Version+" at "+e.url)
				if err == nil {
					v, err := e.client().VerifyAudit(cmd.Context())
					note("audit chain", err, fmt.Sprintf("%d records", v.Records))
				}
			} else {
				e.doctorFolder(cmd, dir, note)
			}
			if err := e.show(t.rows, t); err != nil {
				return err
			}
			if bad {
				return errNo
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "data", "", "check this data folder instead of the server")
	return c
}

func (e *env) doctorFolder(cmd *cobra.Command, dir string, note func(string, error, string)) {
	if _, err := os.Stat(dir + "/flyball.db"); err != nil {
		note("database", err, "")
		return
	}
	db, err := store.Open(cmd.Context(), dir+"/flyball.db")
	if err != nil {
		note("database", err, "")
		return
	}
	h, err := db.Check(cmd.Context())
	note("database", err, fmt.Sprintf("%s %s, schema %d of %d", h.Engine, h.Server, h.Schema, h.Newest))
	n, err := db.VerifyAudit(cmd.Context())
	note("audit chain", err, fmt.Sprintf("%d records", n))
	note("closing", db.Close(), "")
}
