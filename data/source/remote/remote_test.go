// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"testing"

	"flyball/data/dataset"
	"flyball/data/source/remote"
	"flyball/fault"
)

func TestOnlyWhatWasAllowedIsRead(t *testing.T) {
	s, err := remote.New("postgres://reader@db:5432/sales?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]fault.Kind{
		"postgres://db/other": fault.Refused, "postgres://else/sales": fault.Refused, "s3://bucket/a.csv": fault.Refused,
		"postgres://admin@db/sales": fault.Invalid, "postgres://db/sales?host=/tmp": fault.Invalid, "s3://bucket/a/../b": fault.Invalid, "file:///etc/passwd": fault.Invalid,
	} {
		if _, err := s.Open(t.Context(), dataset.Settings{Source: place}); !fault.Is(err, want) {
			t.Errorf("%s: got %v, want %v", place, err, want)
		}
	}
	set, err := s.Open(t.Context(), dataset.Settings{Source: "postgres://db/sales", Query: "SELECT 1"})
	if err != nil || len(set.Parts) != 1 {
		t.Errorf("got %v", err)
	}
	if _, err := remote.New("postgres://u:secret@db/x"); err == nil {
		t.Error("a password in the arguments was taken")
	}
}
