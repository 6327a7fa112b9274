// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"strings"
	"time"

	"flyball/fault"
)

// sampleBytes and sampleRecords bound what is looked at for the delimiter.
const (
	sampleBytes   = 64 << 10
	sampleRecords = 500
)

// options takes what the caller says about the file.
func (f *csvFile) options() error {
	o := f.opts
	switch o.Delimiter {
	case "":
	case "tab", `\t`:
		f.how.delim = '\t'
	default:
		c := o.Delimiter[0]
		if len(o.Delimiter) != 1 || c >= 0x80 || c < ' ' && c != '\t' || c == '"' || isLetterOrDigit(c) {
			return fault.New(fault.Invalid, "%q is not a delimiter", clip(o.Delimiter)).Do("write one character, such as ; or |, or tab")
		}
		f.how.delim = c
	}
	switch o.Decimal {
	case "":
	case ".", ",":
		f.how.point = o.Decimal[0]
	default:
		return fault.New(fault.Invalid, "%q is not a decimal point", clip(o.Decimal)).Do("write \".\" or \",\"")
	}
	if _, err := encodingOf(o.Encoding); err != nil {
		return err
	}
	if o.Zone != "" && o.Zone != "UTC" {
		zone, err := time.LoadLocation(o.Zone)
		if err != nil || o.Zone == "Local" {
			return fault.New(fault.Invalid, "%q is not a time zone", clip(o.Zone)).Do("write a name such as Europe/Berlin")
		}
		f.how.clock.zone = zone
	}
	if o.Missing != nil {
		f.how.missing = make(map[string]bool, len(o.Missing))
		for _, word := range o.Missing {
			f.how.missing[word] = true
			f.how.numeric = f.how.numeric || strings.ContainsAny(word, "0123456789")
		}
	}
	return nil
}

func isLetterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// separator takes off the line "sep=;" that Excel writes and reads.
func (f *csvFile) separator(b block) block {
	rest, ok := bytes.CutPrefix(b.b, []byte("sep="))
	if !ok || len(rest) < 2 || rest[1] != '\n' && !bytes.HasPrefix(rest[1:], []byte("\r\n")) || isLetterOrDigit(rest[0]) || rest[0] == '"' {
		return b
	}
	if f.opts.Delimiter == "" {
		f.how.delim = rest[0]
	}
	b.b = rest[bytes.IndexByte(rest, '\n')+1:]
	b.line++
	return b
}

// delimiter is the comma, semicolon, tab or bar that cuts the first records of a block
// into the most values that all have in common; of those that do not, the one that most
// records agree on. A file of one column has a comma.
func delimiter(name string, b block) byte {
	sample := b
	if len(sample.b) > sampleBytes {
		if at := recordEnd(sample.b[:sampleBytes]); at > 0 {
			sample.b = sample.b[:at]
		}
	}
	best, most, share := byte(','), 1, 0.0
	for _, delim := range []byte(",;\t|") {
		values, agree := tryDelimiter(name, sample, delim)
		if values > 1 && (agree > share || agree == share && values > most) {
			best, most, share = delim, values, agree
		}
	}
	return best
}

// tryDelimiter is the number of columns of the head, and the share of records that have
// as many.
func tryDelimiter(name string, b block, delim byte) (values int, share float64) {
	c := cursor{name: name, delim: delim, stops: stopsOf(delim), keep: true}
	c.begin(b)
	records, agree := 0, 0
	for records < sampleRecords {
		some, err := c.next()
		if err != nil {
			records++ // a record that cannot be read with it
			break
		}
		if !some {
			break
		}
		if records == 0 {
			values = c.values
		}
		if c.values == values {
			agree++
		}
		records++
	}
	return values, float64(agree) / float64(max(1, records))
}
