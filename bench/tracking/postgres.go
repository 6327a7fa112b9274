// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// postgres is a server of our own, with its usual settings.
type postgres struct {
	cmd *exec.Cmd
	bin string
	dir string // data and socket; short, since a socket's path holds 107 bytes
	as  *syscall.Credential
}

// startPostgres returns nil where PostgreSQL is not installed.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(bins) == 0 {
		return nil, err
	}
	p := &postgres{bin: filepath.Dir(slices.Max(bins)), dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := errors.Join(os.Chown(dir, uid, gid), os.Chmod(filepath.Dir(dir), 0o711)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if out, err := p.command(ctx, "initdb", "-D", data, "-U", "flyball", "-A", "trust", "-E", "UTF8").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	p.cmd = p.command(context.WithoutCancel(ctx), "postgres", "-D", data, "-k", dir, "-h", "")
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if p.command(ctx, "psql", "-h", dir, "-U", "flyball", "-c", "SELECT 1", "postgres").Run() == nil {
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, errors.New("PostgreSQL does not come up")
}

func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	c.Dir = p.dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as}
	return c
}

// make makes an empty database.
func (p *postgres) make(ctx context.Context, name string) error {
	out, err := p.command(ctx, "createdb", "-h", p.dir, "-U", "flyball", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("createdb: %w\n%s", err, out)
	}
	return nil
}

func (p *postgres) url(name string) string {
	return "postgresql+psycopg2://flyball@/" + name + "?host=" + p.dir
}

func (p *postgres) dsn(name string) string { return "host=" + p.dir + " user=flyball dbname=" + name }

func (p *postgres) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT) // it may be gone already
	_ = p.cmd.Wait()                         // says that a signal ended it
}
