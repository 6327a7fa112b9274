// SPDX-License-Identifier: Apache-2.0

package clustertest

import (
	"context"
	"io"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
)

// What follows hands each call of a node to the newest executor.

func (s *Server) now() (*cluster.Executor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return nil, fault.New(fault.Unavailable, "the server is away")
	}
	return s.newest, nil
}

// Enter is the newest executor's.
func (s *Server) Enter(ctx context.Context, c cluster.Caller, node string) (cluster.Work, error) {
	e, err := s.now()
	if err != nil {
		return cluster.Work{}, err
	}
	return e.Enter(ctx, c, node)
}

// Input is the newest executor's.
func (s *Server) Input(ctx context.Context, c cluster.Caller, sum string) (io.ReadCloser, error) {
	e, err := s.now()
	if err != nil {
		return nil, err
	}
	return e.Input(ctx, c, sum)
}

// Alive is the newest executor's.
func (s *Server) Alive(ctx context.Context, c cluster.Caller, u executor.Usage) error {
	e, err := s.now()
	if err != nil {
		return err
	}
	return e.Alive(ctx, c, u)
}

// Print is the newest executor's.
func (s *Server) Print(ctx context.Context, c cluster.Caller, offset int64, piece []byte) error {
	e, err := s.now()
	if err != nil {
		return err
	}
	return e.Print(ctx, c, offset, piece)
}

// Put is the newest executor's.
func (s *Server) Put(ctx context.Context, c cluster.Caller, sum string, body io.Reader) error {
	e, err := s.now()
	if err != nil {
		return err
	}
	return e.Put(ctx, c, sum, body)
}

// End is the newest executor's.
func (s *Server) End(ctx context.Context, c cluster.Caller, st executor.Status) error {
	e, err := s.now()
	if err != nil {
		return err
	}
	return e.End(ctx, c, st)
}

// Leave is the newest executor's.
func (s *Server) Leave(ctx context.Context, c cluster.Caller, reason string) error {
	e, err := s.now()
	if err != nil {
		return err
	}
	return e.Leave(ctx, c, reason)
}
