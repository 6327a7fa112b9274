// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"context"

	"google.golang.org/grpc"
	headers "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"flyball/api"
	"flyball/governance/access"
)

// identify finds out who asks, where the method is not open to everybody.
func (f *Face) identify(ctx context.Context, who *api.Routes, p access.Permission) (context.Context, error) {
	if p == access.Open {
		return ctx, nil
	}
	header, from := "", ""
	if h := headers.ValueFromIncomingContext(ctx, "authorization"); len(h) > 0 {
		header = h[0]
	}
	if at, ok := peer.FromContext(ctx); ok {
		from = api.Host(at.Addr.String())
	}
	i, err := who.ByHeader(ctx, header, from)
	if err != nil {
		return ctx, (&service{f: f}).failed(ctx, "who asks", err)
	}
	return access.With(ctx, i), nil
}

// allow finds out who sends a message, and says whether they may.
func (f *Face) allow(ctx context.Context, who *api.Routes, p access.Permission, in any) (context.Context, error) {
	ctx, err := f.identify(ctx, who, p)
	if err != nil {
		return ctx, err
	}
	if err = access.From(ctx).Allow(p, modelOf(in)); err == nil {
		err = who.Pace(access.From(ctx), p)
	}
	if err != nil {
		return ctx, (&service{f: f}).failed(ctx, "who asks", err)
	}
	return ctx, nil
}

// modelOf is the model that a message is about; empty: none.
func modelOf(in any) string {
	switch m := in.(type) {
	case interface{ GetModelName() string }:
		return m.GetModelName()
	case interface{ GetName() string }:
		return m.GetName()
	}
	return ""
}

// guarded is a stream each of whose messages needs the permission on its model.
type guarded struct {
	grpc.ServerStream
	ctx   context.Context //nolint:containedctx // a stream has one
	face  *Face
	needs access.Permission
}

func (g *guarded) Context() context.Context { return g.ctx }

func (g *guarded) RecvMsg(m any) error {
	if err := g.ServerStream.RecvMsg(m); err != nil || g.needs == access.Open {
		return err
	}
	if err := access.From(g.ctx).Allow(g.needs, modelOf(m)); err != nil {
		return (&service{f: g.face}).failed(g.ctx, "who asks", err)
	}
	return nil
}
