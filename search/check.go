// SPDX-License-Identifier: Apache-2.0

package search

import (
	"cmp"
	"strconv"
	"strings"

	"flyball/fault"
)

// Runs reads a filter of runs.
func Runs(filter string) (Filter, error) { return runs().filter(filter) }

// Experiments reads a filter of experiments. The texts that it compares experiment_id
// with are decimal integers.
func Experiments(filter string) (Filter, error) { return experiments().filter(filter) }

// Models reads a filter of registered models.
func Models(filter string) (Filter, error) { return models().filter(filter) }

// Versions reads a filter of model versions.
func Versions(filter string) (Filter, error) { return versions().filter(filter) }

// LoggedModels reads a filter of logged models. A status is READY, PENDING or
// UPLOAD_FAILED, also where it was written as LOGGED_MODEL_READY and so on.
func LoggedModels(filter string) (Filter, error) { return loggedModels().filter(filter) }

func (s *subject) filter(src string) (Filter, error) {
	p := parser{lexer: lexer{src: src}, of: s}
	clauses, err := p.filter()
	if err != nil {
		return nil, err
	}
	var f Filter
	for _, c := range clauses {
		made, err := s.comparison(&p, c)
		if err != nil {
			return nil, err
		}
		f = append(f, made)
	}
	return f, nil
}

// comparison asks of a clause what MLflow asks, in its order: the name, what the value
// looks like, the operator, and what the value says.
func (s *subject) comparison(p *parser, c clause) (Comparison, error) {
	if s.tables && c.null() {
		return Comparison{}, fault.New(fault.Invalid, "IS NULL / IS NOT NULL is not supported for %s search.", s.noun)
	}
	e, key, known, err := s.name(c.left.raw, s.fields)
	if err != nil {
		return Comparison{}, err
	}
	made := Comparison{Entity: e, Key: key, IsNum: e == Metric || known != nil && known.number}
	op, opErr := s.operator(e, key, known, c)
	switch {
	case c.null() && e != Tag && e != Param:
		err = s.notNullable(e, key)
	case c.null():
	case s.loose && opErr != nil:
	case made.IsNum:
		err = s.needNumber(known, c)
	default:
		err = s.words(p, &made, known, c)
	}
	if err = cmp.Or(err, opErr); err != nil {
		return Comparison{}, err
	}
	made.Op = op
	if made.IsNum {
		made.Number, err = s.number(known, c)
		return made, err
	}
	return made, s.values(&made)
}

func (c clause) null() bool { return c.op == "IS NULL" || c.op == "IS NOT NULL" }

func (s *subject) notNullable(e Entity, key string) error {
	if s.nullable == "tags" {
		return fault.New(fault.Invalid, "IS NULL / IS NOT NULL is only supported for tags, not for attribute '%s'", clip(key))
	}
	return fault.New(fault.Invalid, "IS NULL / IS NOT NULL is only supported for %s, not for '%s' '%s'", s.nullable, singular(e), clip(key))
}

// singular is MLflow's word for an entity in messages.
func singular(e Entity) string {
	return [...]string{"attribute", "metric", "parameter", "tag", "dataset"}[min(e, Dataset)]
}

// needNumber says whether the value is written as a number. A registry takes '1' too.
func (s *subject) needNumber(known *field, c clause) error {
	form := c.value.form
	switch {
	case form == digits, s.tables && (form == text || form == quoted):
		return nil
	case s.tables && form == list:
		return s.noList()
	case s.tables:
		return unquoted(c.value.raw)
	case known == nil:
		return fault.New(fault.Invalid, "Expected numeric value type for metric. Found %s", clip(c.value.raw))
	}
	_, name, _, _ := split(c.left.raw) // as it was written: created, not start_time
	return fault.New(fault.Invalid, "Expected numeric value type for numeric attribute: %s. Found %s", name, clip(c.value.raw))
}

func (s *subject) number(known *field, c clause) (float64, error) {
	raw := unquote(c.value.raw)
	if known == nil || !known.whole {
		// The lexer let only digits, a sign, a dot and an exponent through: what is wrong
		// can only be that it is too large, and then it is infinite.
		f, _ := strconv.ParseFloat(raw, 64)
		return f, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err == nil {
		return float64(n), nil
	}
	told := "'" + clip(raw) + "'"
	if s.tables && c.value.form == digits {
		told = clip(raw)
	}
	return 0, fault.New(fault.Invalid, "Invalid value for numeric attribute '%s': %s", known.key(), told)
}

// words reads the right side of what is compared with texts.
func (s *subject) words(p *parser, made *Comparison, known *field, c clause) error {
	switch c.value.form {
	case text, quoted:
		made.Text = unquote(c.value.raw)
		return nil
	case list:
		return s.list(p, made, known, c)
	case word, digits:
		if s.loose {
			made.Text = unquote(c.value.raw)
			return nil
		}
		if c.value.form == word && !c.value.is("NULL") {
			return unquoted(c.value.raw)
		}
	}
	return s.notText(made.Entity, known, c)
}

func unquoted(raw string) error {
	return fault.New(fault.Invalid, "Parameter value is either not quoted or unidentified quote types used for string value %s. Use either single or double quotes.", clip(raw))
}

func (s *subject) notText(e Entity, known *field, c clause) error {
	switch {
	case e == Dataset:
		return fault.New(fault.Invalid, "Expected a quoted string value for dataset attributes. Got value %s", clip(c.value.raw))
	case e != Attribute:
		return fault.New(fault.Invalid, "Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", singular(e), clip(c.value.raw))
	case s.numeric != "" && c.value.form == digits && !known.number:
		return fault.New(fault.Invalid, "Only the '%s' attributes support comparison with numeric values.", s.numeric)
	}
	return fault.New(fault.Invalid, s.text, clip(c.value.raw))
}

func (s *subject) list(p *parser, made *Comparison, known *field, c clause) error {
	in := c.op == "IN" || c.op == "NOT IN"
	switch {
	case known != nil && !known.list:
		return s.noList()
	case !in, known == nil && made.Entity != Dataset && !s.loose:
		return s.notText(made.Entity, known, c)
	}
	texts, err := p.texts(c.value)
	made.List = texts
	return err
}

func (s *subject) noList() error {
	return fault.New(fault.Invalid, "Only %s attributes support comparison with a list of quoted string values.", s.listed)
}

// operator finds the operator among those that this kind of value takes.
func (s *subject) operator(e Entity, key string, known *field, c clause) (Op, error) {
	var may []Op
	switch {
	case e == Metric || known != nil && known.number:
		may = []Op{Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual}
	case known != nil && known.id:
		may = []Op{Equal, NotEqual, In, NotIn}
	case s.loose && (e == Tag || e == Param):
		may = []Op{Equal, NotEqual, Like, ILike, In, NotIn, IsNull, IsNotNull}
	case e == Dataset, s.loose, known != nil && known.list:
		may = []Op{Equal, NotEqual, Like, ILike, In, NotIn}
	case e == Attribute, s.tables:
		may = []Op{Equal, NotEqual, Like, ILike}
	default:
		may = []Op{Equal, NotEqual, Like, ILike, IsNull, IsNotNull}
	}
	for _, op := range may {
		if op.String() == c.op {
			return op, nil
		}
	}
	return 0, s.wrongOperator(e, key, known, clip(c.op), may)
}

func (s *subject) wrongOperator(e Entity, key string, known *field, op string, may []Op) error {
	told := make([]string, len(may))
	for i, o := range may {
		told[i] = "'" + o.String() + "'"
	}
	all := strings.Join(told, ", ")
	switch {
	case s.loose:
		return fault.New(fault.Invalid, "Invalid comparison operator for %s.%s: '%s'. Expected one of (%s).", e, clip(key), op, all)
	case e == Tag && !s.quotes:
		return fault.New(fault.Invalid, "Invalid comparator for tag: %s", op)
	case s.tables && known.number:
		return fault.New(fault.Invalid, "Invalid comparator for attribute %s: %s", known.key(), op)
	case s.tables:
		return fault.New(fault.Invalid, "Invalid comparator for attribute: %s", op)
	case known != nil && known.id:
		return fault.New(fault.Invalid, "Invalid comparator for %s: %s", known.key(), op)
	}
	return fault.New(fault.Invalid, "Invalid comparator '%s' not one of '{%s}'", op, all)
}

// values checks the texts of attributes that only have a few.
func (s *subject) values(made *Comparison) error {
	if made.Entity != Attribute {
		return nil
	}
	check := func(text string) (string, error) { return text, nil }
	switch {
	case made.Key == "experiment_id" && !s.loose:
		check = experimentID
	case made.Key == "status" && s.loose && made.Op != Like && made.Op != ILike:
		check = modelStatus
	}
	var err error
	for i := range made.List {
		if made.List[i], err = check(made.List[i]); err != nil {
			return err
		}
	}
	if made.List == nil && !made.IsNum {
		made.Text, err = check(made.Text)
	}
	return err
}

func experimentID(text string) (string, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", fault.New(fault.Invalid, "Invalid experiment ID '%s'. Experiment ID must be a valid integer.", clip(text))
	}
	return strconv.FormatInt(n, 10), nil
}

func modelStatus(text string) (string, error) {
	name := strings.TrimPrefix(text, "LOGGED_MODEL_")
	switch name {
	case "READY", "PENDING", "UPLOAD_FAILED":
		return name, nil
	}
	return "", fault.New(fault.Invalid, "Unknown model status in filter: '%s'", clip(text))
}
