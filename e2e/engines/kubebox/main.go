// SPDX-License-Identifier: Apache-2.0

// Command kubebox is a Kubernetes control plane for tests in one binary: "etcd", "apiserver", "kcm", "scheduler" and "fakelet" as sub-commands.
// It needs no root, no cgroups and no container runtime. Whoever links it says of which release it is, which programs ask for.
package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kubebox etcd|apiserver|kcm|scheduler|fakelet [flags]")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = append([]string{filepath.Base(os.Args[0]) + " " + name}, os.Args[2:]...)
	switch name {
	case "etcd":
		etcd(os.Args[1:])
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kcm":
		os.Exit(cli.Run(kcm.NewControllerManagerCommand()))
	case "scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "fakelet":
		fakelet(os.Args[1:])
	default:
		fmt.Fprintln(os.Stderr, "kubebox: no such part:", name)
		os.Exit(2)
	}
}

// etcd runs one member without fsync: its data lives as long as the test.
func etcd(args []string) {
	fs := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := fs.String("dir", "", "data folder")
	client := fs.String("client", "http://127.0.0.1:2379", "client address")
	peer := fs.String("peer", "http://127.0.0.1:2380", "peer address")
	fs.Parse(args)
	cu, err := url.Parse(*client)
	check(err)
	pu, err := url.Parse(*peer)
	check(err)
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.UnsafeNoFsync = *dir, "warn", true
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*cu}, []url.URL{*cu}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*pu}, []url.URL{*pu}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	check(err)
	defer e.Close()
	<-e.Server.ReadyNotify()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
	case err := <-e.Err():
		check(err)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubebox:", err)
		os.Exit(1)
	}
}
