// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
)

// Claim is what a client says of where a new version lies. Nothing in it is ever
// opened: CheckSource says what it means, if it means anything here.
type Claim struct {
	Source  string
	RunID   ident.RunID   // empty: not said
	ModelID ident.ModelID // empty: not said
	Prompt  bool          // the version is a prompt and has no files
}

// Source is a claim that is well formed, and what it names. Only what it names needs
// to be looked up.
type Source struct {
	Claim
	Run     ident.RunID   // the run that the source names; empty: none
	Model   ident.ModelID // the logged model that the source names; empty: none
	Version *VersionName  // the version that the source names; nil: none

	Name string // of what Run logged: the first segment of the path below it

	kind kind
	path []string // decoded segments: of an artifact below mlflow-artifacts:/, of a run below its root
}

// VersionName names a version as models:/ URIs do: by number, by alias or by stage.
type VersionName struct {
	Model  string
	Number int    // 0: by alias or stage
	Alias  string // Newest too
	Stage  Stage
}

// kind is what sort of thing a source is.
type kind uint8

const (
	isPrompt   kind = iota // a placeholder
	isObject               // somewhere that Flyball does not look
	isArtifact             // mlflow-artifacts:/…
	isRun                  // runs:/…
	isLogged               // models:/m-…
	isVersion              // models:/name/1, models:/name@alias
)

// Resource is a run or a logged model that exists.
type Resource struct {
	Location  string      // the root of its artifacts: mlflow-artifacts:/…
	SourceRun ident.RunID // of a logged model: the run that made it; may be empty
}

// Known is what exists of what a Source names. Version is set when Source.Version is.
type Known struct {
	Runs    map[ident.RunID]Resource
	Models  map[ident.ModelID]Resource
	Logged  ident.ModelID // the logged model of Source.Run that has Source.Name, which is in Models; empty: none
	Version Version
}

// Origin is what is kept of a claim.
type Origin struct {
	Source   string
	Location string // empty: unknown
	RunID    ident.RunID
	ModelID  ident.ModelID
}

// objectStores are the schemes whose address is a bucket and no host.
var objectStores = []string{"s3", "s3a", "s3n", "gs", "wasb", "wasbs", "adl", "dbfs", "oss", "cos", "cosn", "obs", "oci"}

var (
	scheme  = regexp.MustCompile(`\A([a-zA-Z][a-zA-Z0-9+.\-]+):`) // a single letter is a drive
	runID   = regexp.MustCompile(`\A[a-zA-Z0-9][\w\-]{0,255}\z`)
	modelID = regexp.MustCompile(`\Am-[\w\-]{1,100}\z`)
)

// ParseSource reads a claim. allowed are schemes that address a host and may be used
// all the same. Paths of this or another machine, hosts, and paths that lead out of
// where they seem to lie are Invalid faults in MLflow's words.
func ParseSource(c Claim, allowed []string) (Source, error) {
	s := Source{Claim: c}
	switch {
	case utf8.RuneCountInString(c.Source) > maxSource:
		return s, tooLong("source", maxSource)
	case c.RunID != "" && !runID.MatchString(string(c.RunID)):
		return s, fault.New(fault.Invalid, "Invalid value %s for parameter 'run_id' supplied.", quoted(string(c.RunID)))
	case c.ModelID != "" && !modelID.MatchString(string(c.ModelID)):
		return s, fault.New(fault.Invalid, "Invalid value %s for parameter 'model_id' supplied.", quoted(string(c.ModelID)))
	}
	if c.Prompt {
		if c.Source != "dummy-source" && c.Source != "prompt-template" {
			return s, fault.New(fault.Invalid, "Invalid prompt source: '%s'. Prompt sources must use an MLflow placeholder.", c.Source)
		}
		return s, nil
	}
	found := scheme.FindStringSubmatch(c.Source)
	if found == nil {
		return s, c.local()
	}
	name, rest := strings.ToLower(found[1]), c.Source[len(found[0]):]
	host := ""
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		slash := strings.IndexByte(after, '/')
		if slash < 0 {
			slash = len(after)
		}
		host, rest = after[:slash], after[slash:]
	}
	switch {
	case name == "file":
		return s, c.local()
	case name == "models":
		return s, s.parseModels(host, rest)
	case !clean(c.Source):
		return s, c.relative()
	case name == "runs":
		return s, s.parseRuns(host, rest)
	case name == "mlflow-artifacts" && host == "":
		return s, s.parseArtifact(rest)
	case slices.Contains(objectStores, name) || slices.Contains(allowed, name):
		s.kind = isObject
		if !strings.HasPrefix(rest, "/") {
			return s, c.relative()
		}
		return s, nil
	}
	return s, fault.New(fault.Invalid, "'source' cannot use the '%s' scheme: the '%s' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Log the files to a run or a logged model, and name that.", name, name)
}

// parseModels reads the rest of models:/….
func (s *Source) parseModels(host, rest string) error {
	if host != "" {
		return s.invalid("Registered model sources must use the active model registry.")
	}
	name, what, two := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	model, alias, aliased := cutLast(name, "@")
	switch {
	case !strings.HasPrefix(rest, "/") || name == "" || strings.Contains(what, "/"):
		return s.wrong("model_id")
	case two && strings.EqualFold(what, Newest):
		s.kind, s.Version = isVersion, &VersionName{Model: name, Alias: Newest}
	case two:
		v := &VersionName{Model: name}
		var err error
		if v.Number, err = strconv.Atoi(what); err != nil {
			if v.Stage, err = ParseStage(what); err != nil {
				return s.wrong("model_id")
			}
		}
		s.kind, s.Version = isVersion, v
	case aliased:
		s.kind, s.Version = isVersion, &VersionName{Model: model, Alias: alias}
	case modelID.MatchString(name):
		s.kind, s.Model = isLogged, ident.ModelID(name)
	default:
		return s.wrong("model_id")
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// parseRuns reads the rest of runs:/….
func (s *Source) parseRuns(host, rest string) error {
	run, path, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	s.path = segments(decoded(path))
	if host != "" || !strings.HasPrefix(rest, "/") || !runID.MatchString(run) || len(s.path) == 0 {
		return s.wrong("run_id")
	}
	s.kind, s.Run, s.Name = isRun, ident.RunID(run), s.path[0]
	return nil
}

// parseArtifact reads the rest of mlflow-artifacts:/…. A path of the shape in which
// runs and logged models have their artifacts names one.
func (s *Source) parseArtifact(rest string) error {
	path := decoded(rest)
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") {
		return s.relative()
	}
	s.kind, s.path = isArtifact, segments(path)
	switch p := s.path; {
	case len(p) == 0:
		return s.relative()
	case len(p) >= 4 && p[1] == "models" && p[3] == "artifacts" && modelID.MatchString(p[2]):
		s.Model = ident.ModelID(p[2])
	case len(p) >= 3 && p[2] == "artifacts" && runID.MatchString(p[1]):
		s.Run = ident.RunID(p[1])
	}
	return nil
}

// CheckSource says what is kept of a source, given what exists of what it names. What
// exists must be what the client says it is, and fills what the client left out. What
// does not exist leaves the source as a text that never leads anywhere. The error is
// an Invalid fault in MLflow's words.
func CheckSource(s Source, k Known) (Origin, error) {
	o := Origin{Source: s.Source, RunID: s.RunID, ModelID: s.ModelID}
	var err error
	switch s.kind {
	case isObject:
		o.Location = s.Source
		err = s.known(k)
	case isArtifact:
		err = s.checkArtifact(&o, k)
	case isRun:
		if s.RunID != "" && s.RunID != s.Run {
			return Origin{}, s.wrong("run_id")
		}
		s.fillRun(&o, k)
		err = s.known(k)
	case isLogged:
		if s.ModelID != "" && s.ModelID != s.Model {
			return Origin{}, s.wrong("model_id")
		}
		o.fill(s.Model, k)
	case isVersion:
		err = s.checkVersion(&o, k.Version)
	}
	if err != nil {
		return Origin{}, err
	}
	if m, there := k.Models[o.ModelID]; there && o.RunID == "" {
		o.RunID = m.SourceRun
	}
	return o, nil
}

// known refuses a logged model that the client names beside the source and that does
// not exist.
func (s Source) known(k Known) error {
	if _, there := k.Models[s.ModelID]; s.ModelID != "" && !there {
		return fault.New(fault.NotFound, "Logged model with ID '%s' not found.", s.ModelID)
	}
	return nil
}

// fill has o be the logged model, if it exists.
func (o *Origin) fill(id ident.ModelID, k Known) {
	if m, there := k.Models[id]; there {
		o.ModelID, o.Location = id, m.Location
	}
}

// fillRun has o be what the run logged, if the run exists: a logged model of that name,
// else a folder of the run's artifacts.
func (s Source) fillRun(o *Origin, k Known) {
	r, there := k.Runs[s.Run]
	if !there {
		return
	}
	o.RunID = s.Run
	rest := s.path
	if m, there := k.Models[k.Logged]; there && (s.ModelID == "" || s.ModelID == k.Logged) {
		r, rest, o.ModelID = m, s.path[1:], k.Logged
	}
	o.Location = strings.Join(append([]string{strings.TrimSuffix(r.Location, "/")}, rest...), "/")
}

// checkArtifact has the source lie inside what the client says, or says it for it.
func (s Source) checkArtifact(o *Origin, k Known) error {
	location := "mlflow-artifacts:/" + strings.Join(s.path, "/")
	run, isRun := k.Runs[s.Run]
	model, isModel := k.Models[s.Model]
	claimedRun, hasRun := k.Runs[s.RunID]
	claimedModel, hasModel := k.Models[s.ModelID]
	switch {
	case hasModel && s.inside(claimedModel), hasRun && s.inside(claimedRun):
		o.Location = location
	case s.ModelID != "" && (hasModel || isModel || isRun):
		return s.wrong("model_id")
	case s.RunID != "" && (hasRun || isModel || isRun):
		return s.wrong("run_id")
	case isModel && s.inside(model):
		o.ModelID, o.Location = s.Model, location
	case isRun && s.inside(run):
		o.RunID, o.Location = s.Run, location
	}
	return nil
}

// inside reports whether the source lies at or below the root of r.
func (s Source) inside(r Resource) bool {
	rest, ok := strings.CutPrefix(r.Location, "mlflow-artifacts:/")
	root := segments(rest)
	return ok && len(root) > 0 && len(s.path) >= len(root) && slices.Equal(s.path[:len(root)], root)
}

// checkVersion has the new version be a copy of v.
func (s Source) checkVersion(o *Origin, v Version) error {
	if s.RunID != "" && s.RunID != v.RunID || s.ModelID != "" && s.ModelID != v.ModelID {
		return s.invalid("The run_id and model_id request parameters must match the referenced model version.")
	}
	if slices.Contains(v.Tags, Tag{PromptTag, "true"}) {
		return s.invalid("Prompt versions cannot be used as model version sources.")
	}
	*o = Origin{Source: VersionURI(v.Ref), Location: v.Location, RunID: v.RunID, ModelID: v.ModelID}
	return nil
}

// VersionURI is how a client names a version.
func VersionURI(ref ident.Ref) string {
	return "models:/" + ref.Model + "/" + strconv.Itoa(ref.Version)
}

func (c Claim) invalid(why string) error {
	return fault.New(fault.Invalid, "Invalid model version source: '%s'. %s", c.Source, why)
}

func (c Claim) wrong(param string) error {
	return c.invalid("The " + param + " request parameter must identify the resource that contains the source.")
}

func (c Claim) relative() error {
	return c.invalid("If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.")
}

func (c Claim) local() error {
	return c.invalid("To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.")
}

// clean reports whether a source, however often it is decoded, has no segment that
// leads elsewhere and no character that ends a path for some reader.
func clean(source string) bool {
	s := decoded(source)
	if strings.IndexFunc(s, unicode.IsControl) >= 0 || !utf8.ValidString(s) {
		return false
	}
	for p := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == '/' || c == '\\' || c == '?' || c == '#' }) {
		if p == "." || p == ".." {
			return false
		}
	}
	return true
}

// segments are the parts of a path between slashes, the empty ones left out.
func segments(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// decoded is s percent-decoded until nothing changes. Each round makes it shorter, so
// the work is bounded by the square of its length, and that by maxSource.
func decoded(s string) string {
	for {
		d := decodeOnce(s)
		if d == s {
			return s
		}
		s = d
	}
}

func decodeOnce(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
