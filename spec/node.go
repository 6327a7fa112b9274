// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on a file, far above what anybody writes, so that no file costs more than
// its size should.
const (
	maxDepth = 40     // of nesting
	maxNodes = 50_000 // with every alias written out
	maxKeys  = 10_000 // the YAML library takes time by their square
)

// place is a line and a column, both from 1.
type place struct{ line, col int }

func (p place) in(file string) string { return fmt.Sprintf("%s:%d:%d", file, p.line, p.col) }

// shape is what a node is.
type shape byte

const (
	null shape = iota
	text
	number
	boolean
	list
	mapping
)

// node is a value of the file with its place. Unlike the tree of the YAML library it
// has no aliases, tags, anchors and comments.
type node struct {
	place
	shape shape
	text  string  // of a scalar, as written
	num   float64 // of a number
	truth bool    // of a boolean
	keys  []key   // of a mapping
	items []*node // of a list, and the values of a mapping
}

type key struct {
	place
	name string
}

func (n *node) what() string {
	switch n.shape {
	case null:
		return "nothing"
	case text:
		return "the text " + strconv.Quote(shorten(n.text))
	case number:
		return "the number " + shorten(n.text)
	case boolean:
		return n.text
	case list:
		return "a list"
	}
	return "a mapping"
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// wrong is one mistake and its place.
type wrong struct {
	place
	text string
}

func (w wrong) Error() string { return w.text }

// read turns the bytes of a file into a tree. It stops at the first mistake of syntax.
func read(b []byte) (root *node, err error) {
	// The YAML library has paniced on odd input before; a file must not end the process.
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, wrong{place{1, 1}, "this is not YAML that can be read"}
		}
	}()
	tokens := lexer.Tokenize(string(b))
	if err := guard(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		if s, ok := errors.AsType[*yaml.SyntaxError](err); ok && s.Token != nil && s.Token.Position != nil {
			return nil, wrong{at(s.Token), s.Message}
		}
		return nil, wrong{place{1, 1}, err.Error()}
	}
	c := converter{anchors: map[string]*node{}}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		one, err := c.convert(doc.Body, 0)
		if err != nil {
			return nil, err
		}
		if root != nil {
			return nil, wrong{one.place, "a second document begins here; put each into a file of its own"}
		}
		root = one
	}
	if root == nil {
		return nil, wrong{place{1, 1}, "the file is empty"}
	}
	return root, nil
}

func at(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// guard refuses what the recursive parser would go too deep for, and what a model
// file has no use for.
func guard(tokens token.Tokens) error {
	open, line, onLine, keys := 0, 0, 0, 0
	for i, t := range tokens {
		if p := at(t); p.line != line {
			line, onLine = p.line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open++
		case token.SequenceEndType, token.MappingEndType:
			open--
		case token.SequenceEntryType, token.AnchorType:
			onLine++
		case token.MappingValueType:
			keys++
		case token.TagType:
			return wrong{at(t), "tags are not read here"}
		case token.MappingKeyType:
			return wrong{at(t), "a key is written without ?"}
		case token.MergeKeyType:
			return wrong{at(t), "<< is not read here; write the keys out"}
		}
		if keys > maxKeys || i > 4*maxNodes {
			return wrong{at(t), "the file holds too many values"}
		}
		if open > maxDepth || onLine > maxDepth {
			return wrong{at(t), "nested too deep"}
		}
	}
	return nil
}

type converter struct {
	anchors map[string]*node
	nodes   int
}

func (c *converter) convert(n ast.Node, depth int) (*node, error) {
	if n == nil {
		return &node{place: place{1, 1}}, nil
	}
	out := &node{place: at(n.GetToken())}
	if c.nodes++; c.nodes > maxNodes {
		return nil, wrong{out.place, "the file holds too many values"}
	}
	if depth > maxDepth {
		return nil, wrong{out.place, "nested too deep"}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.shape = list
		for _, item := range n.Values {
			v, err := c.convert(item, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, v)
		}
		return out, nil
	case *ast.AnchorNode:
		v, err := c.convert(n.Value, depth+1)
		if err != nil {
			return nil, err
		}
		c.anchors[n.Name.GetToken().Value] = v
		return v, nil
	case *ast.AliasNode:
		v, ok := c.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, wrong{out.place, fmt.Sprintf("nothing is anchored as %q before this", n.Value.GetToken().Value)}
		}
		if c.nodes += v.count(); c.nodes > maxNodes {
			return nil, wrong{out.place, "the file holds too many values"}
		}
		return v, nil
	}
	return out, scalar(out, n)
}

// count is how many nodes are under n; aliases make it more than are in memory, but
// it is bounded, as each was counted when it was made.
func (n *node) count() int {
	sum := 1
	for _, i := range n.items {
		sum += i.count()
	}
	return sum
}

func (c *converter) mapping(out *node, values []*ast.MappingValueNode, depth int) (*node, error) {
	out.shape = mapping
	if len(values) > 0 {
		out.place = at(values[0].Key.GetToken())
	}
	for _, kv := range values {
		k := key{place: at(kv.Key.GetToken())}
		switch n := kv.Key.(type) {
		case *ast.StringNode:
			k.name = n.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
			k.name = n.GetToken().Value
		default:
			return nil, wrong{k.place, "a key is a plain word"}
		}
		v, err := c.convert(kv.Value, depth+1)
		if err != nil {
			return nil, err
		}
		out.keys = append(out.keys, k)
		out.items = append(out.items, v)
	}
	return out, nil
}

func scalar(out *node, n ast.Node) error {
	switch n := n.(type) {
	case *ast.NullNode:
		out.shape = null
	case *ast.StringNode:
		out.shape, out.text = text, n.Value
		if n.Token.Type != token.SingleQuoteType && n.Token.Type != token.DoubleQuoteType {
			plain(out)
		}
	case *ast.LiteralNode:
		out.shape, out.text = text, n.Value.Value
	case *ast.BoolNode:
		out.shape, out.text, out.truth = boolean, n.Token.Value, n.Value
	case *ast.IntegerNode:
		out.shape, out.text = number, n.Token.Value
		switch v := n.Value.(type) {
		case int64:
			out.num = float64(v)
		case uint64:
			out.num = float64(v)
		}
	case *ast.FloatNode:
		out.shape, out.text, out.num = number, n.Token.Value, n.Value
	case *ast.InfinityNode, *ast.NanNode:
		return wrong{out.place, "a number must be finite"}
	default:
		return wrong{out.place, "this cannot stand here"}
	}
	if math.IsInf(out.num, 0) || math.IsNaN(out.num) {
		return wrong{out.place, "a number must be finite"}
	}
	return nil
}

// plain makes a number of an unquoted text that reads as one, where the YAML library
// does not (1e+21).
func plain(n *node) {
	if n.text == "" || strings.Trim(n.text, "+-.0123456789eE") != "" {
		return
	}
	if v, err := strconv.ParseFloat(n.text, 64); err == nil {
		n.shape, n.num = number, v
	}
}
