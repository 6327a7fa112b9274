// SPDX-License-Identifier: Apache-2.0

package training

import (
	"strings"
	"testing"

	"flyball/fault"
)

func TestATrainingThatNeedsMoreMemoryThanItMayHaveIsRefused(t *testing.T) {
	train := Settings{With: "builtin/linear", Limits: Limits{Memory: 100e6}}
	if err := fits(train, 100_000, 40, 1); err != nil {
		t.Errorf("54 MB of 100: %v", err)
	}
	err := fits(train, 1_000_000, 40, 1)
	const want = "builtin/linear needs about 544 MB for 1000000 rows of 40 features, more than train.limits.memory (100MB); raise the limit"
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	train.Limits.Memory = 0
	if err := fits(train, 1<<40, 1000, 1); err != nil {
		t.Errorf("no limit: %v", err)
	}
}
