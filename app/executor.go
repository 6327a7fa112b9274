// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flyball/api/attempt"
	"flyball/bucket"
	"flyball/fault"
	"flyball/spec"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/kubernetes"
	"flyball/training/executor/local"
	"flyball/training/executor/ray"
	"flyball/training/executor/slurm"
	"flyball/unit"
)

// Executors is the file that --executors names: how nodes reach this server, and a
// section for each engine of a cluster that it has.
type Executors struct {
	URL        string             `json:"url"`
	Slurm      *SlurmSection      `json:"slurm"`
	Kubernetes *KubernetesSection `json:"kubernetes"`
	Ray        *RaySection        `json:"ray"`
}

// SlurmSection is how jobs are handed to Slurm.
type SlurmSection struct {
	Partition string   `json:"partition"` // where a model file names no queue; empty: Slurm's default
	Account   string   `json:"account"`
	Binary    string   `json:"binary"`   // path of flyball on the nodes; empty: that of this process
	Options   []string `json:"options"`  // of sbatch, such as --qos=short
	Setup     string   `json:"setup"`    // lines of the shell that run on the node before
	Programs  string   `json:"programs"` // folder of sbatch and the others; empty: PATH
}

// KubernetesSection is which cluster jobs are handed to, and what their pods are; type
// kubernetes.Options says more of each.
type KubernetesSection struct {
	Kubeconfig     string                  `json:"kubeconfig"` // empty: the service account of the pod of this process
	Context        string                  `json:"context"`
	Namespace      string                  `json:"namespace"`
	Image          string                  `json:"image"`  // where a model file names none
	Binary         string                  `json:"binary"` // path of flyball in the image; empty: /usr/local/bin/flyball, as in the image that flyball is published in
	PullSecrets    []string                `json:"pull_secrets"`
	ServiceAccount string                  `json:"service_account"`
	Nodes          map[string]string       `json:"nodes"` // labels that a node must have
	Tolerations    []kubernetes.Toleration `json:"tolerations"`
	User           int64                   `json:"user"`
	Keep           unit.Duration           `json:"keep"`
}

// RaySection is which head of Ray jobs are handed to.
type RaySection struct {
	URL       string `json:"url"` // of its dashboard
	TokenFile string `json:"token_file"`
	Python    string `json:"python"` // of the nodes, with Ray in it; empty: python
	Binary    string `json:"binary"` // path of flyball on the nodes; empty: that of this process
}

// engine is one of a cluster, and where flyball is on its nodes.
type engine struct {
	cluster.Engine
	binary string
}

// engines are those that the file has a section for.
func (x *Executors) engines(a *App) (map[string]engine, error) {
	out := map[string]engine{}
	if s := x.Slurm; s != nil {
		out["slurm"] = engine{slurm.New(slurm.Options{
			Partition: s.Partition, Account: s.Account, More: s.Options, Setup: s.Setup, Bin: s.Programs, Logger: a.cfg.Logger,
		}), s.Binary}
	}
	if k := x.Kubernetes; k != nil {
		e, err := kubernetes.New(kubernetes.Options{
			Kubeconfig: k.Kubeconfig, Context: k.Context, Namespace: k.Namespace, Image: k.Image, PullSecrets: k.PullSecrets,
			ServiceAccount: k.ServiceAccount, Nodes: k.Nodes, Tolerations: k.Tolerations, User: k.User, Keep: k.Keep,
		})
		if err != nil {
			return nil, err
		}
		out["kubernetes"] = engine{e, cmp.Or(k.Binary, "/usr/local/bin/flyball")}
	}
	if r := x.Ray; r != nil {
		e, err := ray.New(ray.Options{URL: r.URL, TokenFile: r.TokenFile, Python: r.Python})
		if err != nil {
			return nil, err
		}
		out["ray"] = engine{e, r.Binary}
	}
	return out, nil
}

// openExecutors makes what runs the programs of model files, where somebody allowed it: of
// --executor, and of the sections of --executors. An engine that --executor names and the
// file does not say more of is as it is by itself.
func (a *App) openExecutors(ctx context.Context) error {
	var x Executors
	if name := a.cfg.ExecutorsFile; name != "" {
		raw, err := os.ReadFile(name)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "the file of executors cannot be read")
		}
		if err := spec.Strict(filepath.Base(name), raw, &x); err != nil {
			return err
		}
	}
	all := executor.Several{}
	for _, name := range a.cfg.Executors {
		switch name {
		case executor.Local:
			here, err := a.localExecutor()
			if err != nil {
				return err
			}
			all[name] = here
		case "slurm":
			if x.Slurm == nil {
				x.Slurm = &SlurmSection{}
			}
		case "kubernetes":
			if x.Kubernetes == nil {
				x.Kubernetes = &KubernetesSection{}
			}
		case "ray":
			if x.Ray == nil {
				return fault.New(fault.Invalid, "how Ray is reached is not said").Do("give it a section in a file, and name that with --executors; see docs/executors.md")
			}
		default:
			return fault.New(fault.Invalid, "%q is no executor of this version", name).Do("write --executor local, slurm, kubernetes or ray")
		}
	}
	engines, err := x.engines(a)
	if err != nil {
		return err
	}
	a.attempts = map[string]attempt.Attempts{}
	if len(engines) > 0 {
		err = a.openClusters(ctx, x.URL, engines, all)
	}
	if len(all) > 0 {
		a.executor = all
	}
	return err
}

// localExecutor runs programs on this machine. They are looked for beside the interpreter
// of --python first, so that a model is trained by what it is scored with.
func (a *App) localExecutor() (*local.Executor, error) {
	o := local.Options{Dir: filepath.Join(a.cfg.Data, "work"), Server: a.URL(), Logger: a.cfg.Logger}
	if p := a.cfg.Python; p != "uv" && filepath.Base(p) != p {
		dir, err := filepath.Abs(filepath.Dir(p))
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "the folder of the interpreter cannot be found")
		}
		o.Path = []string{dir}
	}
	return local.New(o)
}

// openClusters makes an executor of each engine. What they keep is below work/ of the
// bucket, or of the data folder.
func (a *App) openClusters(ctx context.Context, at string, engines map[string]engine, all executor.Several) error {
	if at == "" {
		at = a.URL()
		a.cfg.Logger.Warn("nodes are told to reach this server as this machine does; say url: in the file of --executors where they are others", "url", at)
	}
	if u, err := url.Parse(at); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault.New(fault.Invalid, "%q is no address by which nodes reach this server", at).Do("write url: http://HOST:PORT in the file of --executors")
	}
	where := a.cfg.Bucket
	if where == "" {
		dir, err := filepath.Abs(a.cfg.Data)
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "the folder for jobs cannot be found")
		}
		where = "file://" + filepath.ToSlash(dir)
	}
	var err error
	if a.jobs, err = bucket.Open(ctx, where, "work"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the program that would run on nodes cannot be found")
	}
	for name, e := range engines {
		if e.binary == "" {
			e.binary = self
		}
		one := cluster.New(cluster.Options{Name: name, Engine: e.Engine, Bucket: a.jobs, URL: strings.TrimSuffix(at, "/"), Binary: e.binary, Logger: a.cfg.Logger})
		all[name], a.attempts[name], a.clusters = one, one, append(a.clusters, one)
	}
	return nil
}

// keepAttempts is how long what is kept of an attempt outlives the work that it was for: a
// crash of the server may come before it was removed.
const keepAttempts = 24 * time.Hour

// sweepAttempts removes what is kept of attempts that nobody waits for, an hour after the
// start and then each day, until ctx is done.
func (a *App) sweepAttempts(ctx context.Context) error {
	if len(a.clusters) == 0 {
		return nil
	}
	daily(ctx, func() {
		oldest, err := a.store.OldestWork(ctx)
		swept := 0
		for _, e := range a.clusters {
			if err == nil {
				var n int
				n, err = e.Sweep(ctx, unwaited(time.Now(), oldest))
				swept += n
			}
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			a.cfg.Logger.Error("what is left of jobs on clusters could not be removed", "error", err)
		case swept > 0:
			a.cfg.Logger.Info("what was left of jobs on clusters is removed", "jobs", swept)
		}
	})
	return nil
}

// unwaited is the moment before which no attempt was made that anybody waits for: not of
// the oldest work that is under way (zero: none is), nor of anything of the last day.
func unwaited(now, oldest time.Time) time.Time {
	if !oldest.IsZero() && oldest.Before(now) {
		now = oldest
	}
	return now.Add(-keepAttempts)
}

// here reports whether programs run on this machine, where Python environments are made.
func (a *App) here() bool { return slices.Contains(a.cfg.Executors, executor.Local) }
