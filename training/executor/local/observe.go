// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"flyball/training/environment"
	"flyball/training/executor"
)

// Observe asks an interpreter what it is, found and run as the program of a job is.
func (e *Executor) Observe(ctx context.Context, python string) (environment.Python, error) {
	path, err := e.program(executor.Job{Command: []string{python}})
	if err != nil {
		return environment.Python{}, err
	}
	folders := append(append([]string{}, e.opts.Path...), os.Getenv("PATH"))
	env := []string{"PATH=" + strings.Join(folders, string(filepath.ListSeparator))}
	for _, name := range inherited() {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return environment.Observe(ctx, path, env)
}
