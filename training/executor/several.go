// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"flyball/fault"
)

// Local is the name of the executor of this machine.
const Local = "local"

// Several are executors by their names. A job goes to the one that On gives; its handle
// tells which that was, for all that is asked of it later. The handles of one that is not
// Local begin with its name and a dash.
type Several map[string]Executor

// On is the executor of a name among several; one that stands alone has every name. Empty:
// Local or, where there is none, the only one. nil: nothing runs programs here. A name
// that is not among them is a Refused fault that says which are.
func On(e Executor, name string) (Executor, error) {
	s, several := e.(Several)
	if e == nil || !several {
		return e, nil
	}
	if name == "" {
		return s.standard()
	}
	if one := s[name]; one != nil {
		return one, nil
	}
	return nil, fault.New(fault.Refused, "this server has no executor %s, but %s", name, s.names()).
		Do("change train.executor, or start the server with flyball serve --executor %s", name)
}

func (s Several) standard() (Executor, error) {
	if one := s[Local]; one != nil {
		return one, nil
	}
	if len(s) == 1 {
		for _, one := range s {
			return one, nil
		}
	}
	return nil, fault.New(fault.Refused, "this server has several executors: %s", s.names()).Do("name one as train.executor")
}

func (s Several) names() string { return strings.Join(slices.Sorted(maps.Keys(s)), ", ") }

// of is the executor whose handle it is.
func (s Several) of(h Handle) (Executor, error) {
	name, _, ok := strings.Cut(string(h), "-")
	if !ok {
		name = Local
	}
	if one := s[name]; one != nil {
		return one, nil
	}
	return nil, fault.New(fault.NotFound, "there is no job %q here", h)
}

// Submit starts the job where a name was not said.
func (s Several) Submit(ctx context.Context, j Job) (Handle, error) {
	e, err := s.standard()
	if err != nil {
		return "", err
	}
	return e.Submit(ctx, j)
}

// Poll says where the job is.
func (s Several) Poll(ctx context.Context, h Handle) (Status, error) {
	e, err := s.of(h)
	if err != nil {
		return Status{}, err
	}
	return e.Poll(ctx, h)
}

// Cancel ends the job.
func (s Several) Cancel(ctx context.Context, h Handle) error {
	e, err := s.of(h)
	if err != nil {
		return err
	}
	return e.Cancel(ctx, h)
}

// Logs are what the job has printed.
func (s Several) Logs(ctx context.Context, h Handle, offset int64) (io.ReadCloser, error) {
	e, err := s.of(h)
	if err != nil {
		return nil, err
	}
	return e.Logs(ctx, h, offset)
}

// Output opens a file that the job made.
func (s Several) Output(ctx context.Context, h Handle, name string) (io.ReadCloser, error) {
	e, err := s.of(h)
	if err != nil {
		return nil, err
	}
	return e.Output(ctx, h, name)
}

// Forget removes what is kept of the job.
func (s Several) Forget(ctx context.Context, h Handle) error {
	e, err := s.of(h)
	if err != nil {
		return err
	}
	return e.Forget(ctx, h)
}
