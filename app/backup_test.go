// SPDX-License-Identifier: Apache-2.0

package app

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/backup"
	"flyball/blob/artifact"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/serving/prediction"
)

// filled is a server with a history: files, sealed and staged predictions, labels, and a
// chain that tells of them.
func filled(t *testing.T, cfg Config) *App {
	t.Helper()
	a := start(t, cfg)
	ctx := t.Context()
	for i := range 5 {
		if _, err := a.artifacts.Put(ctx, fmt.Sprintf("0/files/%d.bin", i), bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 1000*i))); err != nil {
			t.Fatal(err)
		}
		if _, err := a.store.AddAudit(ctx, audit.Record{At: time.Now(), Actor: "ana", Action: "try", Object: fmt.Sprint("m", i)}); err != nil {
			t.Fatal(err)
		}
	}
	predict(t, a, 0, 200)
	if _, err := a.log.Seal(ctx, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	predict(t, a, 200, 50)
	return a
}

// predict keeps n predictions and their labels: of yesterday, and the last of this hour.
func predict(t *testing.T, a *App, from, n int) {
	t.Helper()
	var labels []prediction.Label
	for i := range n {
		at := time.Now().Add(-time.Duration(n-i) * 10 * time.Minute)
		r := prediction.Record{
			ID: ident.PredictionID(fmt.Sprintf("p%06d", from+i)), Model: "m", Version: 1, Key: fmt.Sprint("k", i), Time: at, Due: at.Add(time.Hour), At: at, Row: []byte(`{"x":1}`),
		}
		a.log.Append(r)
		labels = append(labels, prediction.Label{Model: "m", ID: r.ID, Value: "1", At: at})
	}
	if err := a.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.log.AppendLabels(t.Context(), labels...); err != nil {
		t.Fatal(err)
	}
}
