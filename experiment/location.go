// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/fault"
)

// scheme of artifacts that this server keeps.
const scheme = "mlflow-artifacts"

// hostSchemes address another machine: whoever opens such a location talks to it.
var hostSchemes = []string{"http", "https", "ftp", "sftp", "hdfs", "viewfs", "r2", "b2", "abfss"}

// checkLocation says whether artifacts of an experiment may lie at a place. Clients
// write to it by themselves when it is not this server, and read from it with their
// own keys; so only what whoever runs the server named is taken. Empty means that the
// server chooses.
func checkLocation(location string, allowed []string) error {
	if location == "" {
		return nil
	}
	if utf8.RuneCountInString(location) > MaxLocation {
		return fault.New(fault.Invalid, "Invalid artifact path length. The length of the artifact path cannot be greater than %d characters.", MaxLocation)
	}
	u, err := url.Parse(location)
	if err != nil {
		return fault.New(fault.Invalid, "Invalid artifact_location: '%s'", clip(location))
	}
	if strings.ContainsAny(location, "#;") {
		return fault.New(fault.Invalid, "'artifact_location' URL can't include fragments or params.")
	}
	if query, err := url.QueryUnescape(u.RawQuery); err != nil || strings.Contains(query, "..") {
		return fault.New(fault.Invalid, "Invalid query string")
	}
	if u.Scheme == "runs" {
		return fault.New(fault.Invalid, "Artifact location cannot be a runs:/ URI. Given: '%s'", clip(location))
	}
	if within(location, allowed) {
		return nil
	}
	if slices.Contains(hostSchemes, u.Scheme) || u.Scheme == scheme && u.Host != "" {
		return fault.New(fault.Invalid, "'artifact_location' cannot use the '%s' scheme: the '%s' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Leave artifact_location out, or start the server with flyball serve --artifact-location and a prefix of it.",
			u.Scheme, u.Scheme)
	}
	if u.Scheme == scheme && cleanPath(strings.TrimPrefix(location, scheme+":")) {
		return nil
	}
	return fault.New(fault.Invalid, "'artifact_location' cannot be '%s': artifacts lie at mlflow-artifacts:/ or where flyball serve --artifact-location allows it.", clip(location))
}

// within says whether a location lies below one of the prefixes that are allowed. A
// prefix ends at a segment, so that s3://bucket does not allow s3://bucket-of-others.
func within(location string, allowed []string) bool {
	for _, prefix := range allowed {
		prefix = strings.TrimSuffix(prefix, "/")
		rest, ok := strings.CutPrefix(location, prefix)
		if ok && prefix != "" && (rest == "" || rest[0] == '/') && cleanPath("/"+strings.TrimPrefix(rest, "/")) {
			return true
		}
	}
	return false
}

// below is a place in a location, which may or may not end with a slash.
func below(location, path string) string { return strings.TrimSuffix(location, "/") + "/" + path }

// cleanPath says whether a path is absolute and has no segment that leads elsewhere,
// written plainly or percent-encoded.
func cleanPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, `%\?`) || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	p = strings.TrimSuffix(p[1:], "/")
	if p == "" {
		return true
	}
	return !slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." || s == ".." })
}
