// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"math"
	"strconv"

	"flyball/serving"
	"flyball/serving/prediction"
)

// appendAnswer appends what encoding/json makes of response(a), but for reasons.
func appendAnswer(out []byte, a *serving.Answer) []byte {
	out = append(out, `{"model":`...)
	out = appendText(out, a.Model)
	out = append(out, `,"version":`...)
	out = strconv.AppendInt(out, int64(a.Records[0].Version), 10)
	out = append(out, `,"generation":`...)
	out = strconv.AppendInt(out, a.Generation, 10)
	out = append(out, `,"predictions":[`...)
	for i := range a.Records {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendPrediction(out, &a.Records[i])
	}
	return append(out, "]}\n"...)
}

func appendPrediction(out []byte, r *prediction.Record) []byte {
	out = append(out, '{')
	if r.ID != "" {
		out = append(out, `"id":`...)
		out = append(appendText(out, string(r.ID)), ',')
	}
	if r.Key != "" {
		out = append(out, `"key":`...)
		out = append(appendText(out, r.Key), ',')
	}
	out = append(out, `"version":`...)
	out = strconv.AppendInt(out, int64(r.Version), 10)
	out = append(out, `,"arm":`...)
	out = appendText(out, r.Arm)
	if len(r.Scores) == 1 {
		out = append(out, `,"value":`...)
		out = appendNumber(out, r.Scores[0])
	} else {
		out = append(out, `,"value":null`...)
	}
	if len(r.Scores) > 1 {
		out = append(out, `,"scores":`...)
		for k, x := range r.Scores {
			out = append(out, "[,"[min(k, 1)])
			out = appendNumber(out, x)
		}
		out = append(out, ']')
	}
	if r.Decision != "" {
		out = append(out, `,"decision":`...)
		out = appendText(out, r.Decision)
	}
	if len(r.Flags) > 0 {
		out = append(out, `,"flags":`...)
		for k, flag := range r.Flags {
			out = append(out, "[,"[min(k, 1)])
			out = appendText(out, flag)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// appendNumber appends x as encoding/json does; what JSON cannot hold is null.
func appendNumber(out []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(out, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	from := len(out)
	out = strconv.AppendFloat(out, x, format, -1, 64)
	if n := len(out); format == 'e' && n-from >= 4 && out[n-4] == 'e' && (out[n-3] == '-' || out[n-3] == '+') && out[n-2] == '0' {
		out[n-2] = out[n-1] // e-09 is e-9
		out = out[:n-1]
	}
	return out
}

// appendText appends s as a JSON string.
func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a text can always be written
			return append(out, quoted...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}
