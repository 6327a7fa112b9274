// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"flyball/api/oip"
	"flyball/fault"
)

// GRPCAddress is where gRPC answers when nobody says: at the port after that of listen,
// or at any free one where listen leaves the choice too. An address that is none is
// given back as it is.
func GRPCAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return listen
	case n != 0:
		n++
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10))
}

// listenGRPC opens the port of gRPC; none where the address is empty.
func listenGRPC(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fault.New(fault.Conflict, "the port of %s, for gRPC, is taken", address).
			Do("choose another with --grpc, or none with --grpc ''")
	}
	return l, fault.Wrap(err, fault.Unavailable, "nothing can listen on %s, for gRPC", address)
}

// GRPC is where the Open Inference Protocol answers over gRPC; empty: nowhere.
func (a *App) GRPC() string {
	if a.grpc == nil {
		return ""
	}
	return a.grpc.Addr().String()
}

// newOIP is the Open Inference Protocol's face, of both listeners.
func (a *App) newOIP() *oip.Face {
	return oip.New(oip.Options{
		Serving: a.serving, Version: a.cfg.Version, Logger: a.cfg.Logger,
		Ready: a.whyNotReady,
	})
}

// serveGRPC answers gRPC until ctx is done, and then finishes what is under way for at
// most grace.
func (a *App) serveGRPC(ctx context.Context, g *errgroup.Group, grace time.Duration) {
	if a.grpc == nil {
		return
	}
	var options []grpc.ServerOption
	if a.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(a.tls)))
	}
	server := a.oip.GRPC(a.routes, options...)
	g.Go(func() error {
		if err := server.Serve(a.grpc); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		server.Drain()
		late := time.AfterFunc(grace, server.Stop)
		defer late.Stop()
		server.GracefulStop()
		return nil
	})
}
