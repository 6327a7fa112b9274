// SPDX-License-Identifier: Apache-2.0

// Package remote opens what model files name elsewhere: objects of S3-compatible buckets
// and rows of PostgreSQL databases. It opens only what the one who started the program
// allowed, and takes secrets from the environment alone, never from a model file.
package remote

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/data/source"
	"flyball/data/source/postgres"
	"flyball/fault"
)

// place is where rows lie.
type place struct {
	scheme string // s3 or postgres
	host   string // the bucket, or the server with its port
	path   string // of a bucket: what keys begin with, or a pattern; of a server: the database
	text   string // as it was written
}

// Sources opens sources. It is immutable.
type Sources struct {
	all     bool
	allowed []place
}

// New allows what lies at or under the places: s3://bucket/prefix, and
// postgres://host/database, which may carry a user and settings of the connection, but no
// password. None allows nothing.
func New(allowed ...string) (*Sources, error) {
	s := &Sources{}
	for _, text := range allowed {
		p, err := parse(text)
		if err != nil {
			return nil, err
		}
		if p.scheme == "s3" && strings.ContainsAny(p.path, "*?[") {
			return nil, fault.New(fault.Invalid, "%s has a wildcard", text).Do("name the bucket and what the keys begin with: s3://bucket/prefix")
		}
		s.allowed = append(s.allowed, p)
	}
	return s, nil
}

// All allows everything: for a program that works for the one who called it.
func All() *Sources { return &Sources{all: true} }

// parse reads a place. Its messages do not repeat a password.
func parse(text string) (place, error) {
	u, err := url.Parse(text)
	if err != nil {
		return place{}, fault.New(fault.Invalid, "a source is not a URL").Do("write s3://bucket/prefix or postgres://host/database")
	}
	if _, has := u.User.Password(); has {
		return place{}, fault.New(fault.Invalid, "%s has a password in it", u.Redacted()).Do("give it in the environment: PGPASSWORD, or a file that PGPASSFILE names")
	}
	p := place{scheme: u.Scheme, host: strings.ToLower(u.Host), path: strings.TrimPrefix(u.Path, "/"), text: text}
	switch u.Scheme {
	case "s3":
		rest := strings.TrimPrefix(text, "s3://") // a key is no path of a URL: ? stands for itself
		p.host, p.path, _ = strings.Cut(rest, "/")
		if p.host == "" || u.User != nil {
			return place{}, fault.New(fault.Invalid, "%s names no bucket", text).Do("write s3://bucket/prefix")
		}
		if slices.Contains(strings.Split(p.path, "/"), "..") { // some servers keep keys as paths
			return place{}, fault.New(fault.Invalid, "%s goes up by ..", text).Do("write the key from the bucket on")
		}
	case "postgres", "postgresql":
		p.scheme = "postgres"
		if u.Port() == "5432" {
			p.host = strings.TrimSuffix(p.host, ":5432")
		}
		if p.path == "" || strings.Contains(p.path, "/") {
			return place{}, fault.New(fault.Invalid, "%s names no database", text).Do("write postgres://host/database")
		}
	default:
		return place{}, fault.New(fault.Invalid, "%s:// cannot be read", u.Scheme).Do("write s3://bucket/prefix or postgres://host/database")
	}
	return p, nil
}

// holds reports whether o lies at or under p.
func (p place) holds(o place) bool {
	if p.scheme != o.scheme || p.host != o.host {
		return false
	}
	if p.scheme == "postgres" {
		return p.path == o.path
	}
	under := strings.TrimSuffix(p.path, "/")
	if under == "" || o.path == under {
		return true
	}
	return strings.HasPrefix(o.path, under+"/")
}

// find is the place of a source, as it is allowed.
func (s *Sources) find(text string) (asked, allowed place, err error) {
	if asked, err = parse(text); err != nil {
		return asked, allowed, err
	}
	if s.all {
		return asked, asked, nil
	}
	if u, err := url.Parse(text); err == nil && asked.scheme == "postgres" && (u.User != nil || u.RawQuery != "") {
		return asked, allowed, fault.New(fault.Invalid, "data.source of a database is postgres://host/database alone").
			Do("whoever starts the server gives user and settings: flyball serve --source postgres://user@host/database?sslmode=require")
	}
	for _, a := range s.allowed {
		if a.holds(asked) {
			return asked, a, nil
		}
	}
	return asked, allowed, fault.New(fault.Refused, "the server may not read %s", text).
		Do("let whoever starts it allow that: flyball serve --source %s", (place{scheme: asked.scheme, host: asked.host, path: asked.path}).wide())
}

// wide is a place that would have to be allowed.
func (p place) wide() string {
	if p.scheme == "postgres" {
		return "postgres://" + p.host + "/" + p.path
	}
	pattern, err := source.ParsePattern(p.path)
	if err != nil || pattern.Base == "" {
		return "s3://" + p.host
	}
	return "s3://" + p.host + "/" + pattern.Base
}

// Open opens the source of a model file. One that is not allowed is a Refused fault. Close
// the set.
func (s *Sources) Open(ctx context.Context, d dataset.Settings) (*source.Set, error) {
	asked, allowed, err := s.find(d.Source)
	if err != nil {
		return nil, err
	}
	if asked.scheme == "postgres" {
		return &source.Set{Parts: []source.Part{postgres.Query(asked.text, allowed.text, d.Query, d.CSV.Zone)}}, nil
	}
	return openBucket(ctx, asked, source.Options(d))
}
