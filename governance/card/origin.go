// SPDX-License-Identifier: Apache-2.0

package card

import (
	"encoding/json"
	"fmt"
	"time"

	"flyball/fault"
)

// Origin is how a version was made, as its record.json says (docs/formats/record.md).
type Origin struct {
	Flyball     string     `json:"flyball,omitempty"` // its version
	Go          string     `json:"go,omitempty"`
	Commit      string     `json:"commit,omitempty"`
	Repository  string     `json:"repository,omitempty"`
	Machine     string     `json:"machine,omitempty"`
	Threads     int        `json:"threads,omitempty"`
	Python      string     `json:"python,omitempty"`
	Seed        *uint64    `json:"seed,omitempty"`
	StartedAt   time.Time  `json:"started_at,omitzero"`
	FinishedAt  time.Time  `json:"finished_at,omitzero"`
	Ingredients []Material `json:"ingredients,omitempty"`
}

// Material is something that a version was made of.
type Material struct {
	Name      string `json:"name"`
	Algorithm string `json:"algorithm"` // sha256 or gitCommit
	Digest    string `json:"digest"`
}

// provenance is the part of a SLSA v1 statement that a card tells.
type provenance struct {
	Predicate struct {
		BuildDefinition struct {
			ExternalParameters struct {
				Recipe struct {
					Train struct {
						Seed *uint64 `json:"seed"`
					} `json:"train"`
				} `json:"recipe"`
				Commit *struct {
					Repository string `json:"repository"`
					ID         string `json:"id"`
				} `json:"commit"`
			} `json:"externalParameters"`
			InternalParameters struct {
				Threads int `json:"threads"`
				Machine struct {
					System string `json:"system"`
					OS     string `json:"os"`
					Arch   string `json:"arch"`
					CPU    string `json:"cpu"`
					CPUs   int    `json:"cpus"`
				} `json:"machine"`
				Environment *struct {
					Version        string `json:"version"`
					Implementation string `json:"implementation"`
				} `json:"environment"`
			} `json:"internalParameters"`
			ResolvedDependencies []struct {
				Name   string            `json:"name"`
				Digest map[string]string `json:"digest"`
			} `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				Version map[string]string `json:"version"`
			} `json:"builder"`
			Metadata struct {
				StartedOn  time.Time `json:"startedOn"`
				FinishedOn time.Time `json:"finishedOn"`
			} `json:"metadata"`
		} `json:"runDetails"`
	} `json:"predicate"`
}

func readOrigin(record []byte) (Origin, error) {
	var p provenance
	if err := json.Unmarshal(record, &p); err != nil {
		return Origin{}, fault.Wrap(err, fault.Internal, "record.json cannot be read")
	}
	build, run := p.Predicate.BuildDefinition, p.Predicate.RunDetails
	in := build.InternalParameters
	o := Origin{
		Flyball: run.Builder.Version["flyball"], Go: run.Builder.Version["go"], Threads: in.Threads, Seed: build.ExternalParameters.Recipe.Train.Seed,
		StartedAt: run.Metadata.StartedOn, FinishedAt: run.Metadata.FinishedOn,
	}
	if c := build.ExternalParameters.Commit; c != nil {
		o.Commit, o.Repository = c.ID, c.Repository
	}
	if m := in.Machine; m.Arch != "" {
		system := m.System
		if system == "" {
			system = m.OS
		}
		o.Machine = fmt.Sprintf("%s, %s, %s, %d processors", system, m.Arch, m.CPU, m.CPUs)
	}
	if e := in.Environment; e != nil {
		o.Python = e.Implementation + " " + e.Version
	}
	for _, d := range build.ResolvedDependencies {
		for _, algorithm := range []string{"sha256", "gitCommit"} {
			if digest := d.Digest[algorithm]; digest != "" {
				o.Ingredients = append(o.Ingredients, Material{d.Name, algorithm, digest})
			}
		}
	}
	return o, nil
}
