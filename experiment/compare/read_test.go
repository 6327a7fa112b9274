// SPDX-License-Identifier: Apache-2.0

package compare_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flyball/data/dataset"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/fault"
)

const (
	binaryManifest = `{"format":1,"kind":"binary","dataset":{"name":"bookings-test","digest":"a3f1"},"positive":"yes","threshold":0.4}`
	plainBinary    = `{"format":1,"kind":"binary"}`
	plainNumber    = `{"format":1,"kind":"regression"}`
)

func read(manifest, predictions string) (*compare.Evaluation, error) {
	m, err := compare.ReadManifest([]byte(manifest))
	if err != nil {
		return nil, err
	}
	return compare.Read(m, compare.PredictionsFile, strings.NewReader(predictions))
}

func TestPredictionsAreRead(t *testing.T) {
	got, err := read(binaryManifest, "segment,key,prediction,label,block,weight\r\nDirect,a,0.25,no,x,1\r\n\"Offline \"\"TA\"\", TO\",b,1e-05,yes,,2.5\r\n,c,1,no,x,1\r\n")
	want := &compare.Evaluation{
		Manifest: compare.Manifest{Format: 1, Kind: dataset.Binary, Dataset: compare.Dataset{Name: "bookings-test", Digest: "a3f1"}, Positive: "yes", Threshold: 0.4},
		Keys:     []string{"a", "b", "c"}, Truth: []float64{0, 1, 0}, Score: []float64{0.25, 1e-05, 1}, Weight: []float64{1, 2.5, 1},
		Block:  []uint64{0, 1<<64 - 2, 0},
		Slices: []evaluation.SliceColumn{{Name: "segment", Values: []string{"Direct", `Offline "TA", TO`, ""}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(compare.Evaluation{})); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestANumberIsALabelHoweverItIsWritten(t *testing.T) {
	got, err := read(plainBinary, "key,label,prediction\na,1.0,0.5\nb,0,0.5\nc,0.0,0.5\nd,1,0.5\n")
	if err != nil || !cmp.Equal(got.Truth, []float64{1, 0, 0, 1}) || got.Threshold != 0.5 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNotAnEvaluationIsToldWithItsPlace(t *testing.T) {
	const head = "key,label,prediction\n"
	for _, c := range []struct{ name, manifest, predictions, want string }{
		{"an unknown key", `{"format":1,"kind":"binary","positives":"1"}`, "", `evaluation/evaluation.json is not what docs/formats/evaluation.md says`},
		{"a newer format", `{"format":2,"kind":"binary"}`, "", "evaluation/evaluation.json has format 2, and this program reads 1"},
		{"several classes", `{"format":1,"kind":"multiclass"}`, "", `evaluation/evaluation.json: kind is binary or regression, not "multiclass"`},
		{"a threshold of a number", `{"format":1,"kind":"regression","threshold":0.5}`, "", "evaluation/evaluation.json: a regression has no positive and no threshold"},
		{"a threshold beyond one", `{"format":1,"kind":"binary","threshold":1}`, "", "evaluation/evaluation.json: threshold 1 does not lie between 0 and 1"},
		{"two manifests", plainBinary + plainBinary, "", "evaluation/evaluation.json has something after its end"},
		{"nothing", plainBinary, "", "evaluation/predictions.csv is empty"},
		{"a head alone", plainBinary, head, "evaluation/predictions.csv has no rows"},
		{"no prediction", plainBinary, "key,label\na,1\n", "evaluation/predictions.csv, line 1: the column prediction is missing"},
		{"a column twice", plainBinary, "key,label,label,prediction\n", "evaluation/predictions.csv, line 1, column 11: the column label is there twice"},
		{"a byte order mark", plainBinary, "\ufeffkey,label,prediction\n", "evaluation/predictions.csv, line 1, column 1: the file begins with a byte order mark"},
		{"a row that is too short", plainBinary, head + "a,1\n", "evaluation/predictions.csv, line 2, column 1: wrong number of fields"},
		{"a quote alone", plainBinary, head + "a,1,0.5\nb,\"0,0.5\n", "evaluation/predictions.csv, line 3, column 10: extraneous or missing \" in quoted-field"},
		{"a key twice", plainBinary, head + "a,1,0.5\nb,0,0.5\na,1,0.5\n", `evaluation/predictions.csv, line 4, column 1: the key "a" is that of row 1 already`},
		{"no key", plainBinary, head + ",1,0.5\n", "evaluation/predictions.csv, line 2, column 1: a key has 1 to 512 bytes, not 0"},
		{"an empty label", plainBinary, head + "a,,0.5\n", "evaluation/predictions.csv, line 2, column 3: a label is empty"},
		{"a third label", plainBinary, head + "a,1,0.5\nb,0,0.5\nc,2,0.5\n", `evaluation/predictions.csv, line 4, column 3: the label "2" is a third one beside "1" and "0"`},
		{"a label that is no number", plainNumber, head + "a,many,3\n", `evaluation/predictions.csv, line 2, column 3: the label "many" is not a decimal number`},
		{"no probability", plainBinary, head + "a,1,1.5\n", "evaluation/predictions.csv, line 2, column 5: the prediction 1.5 is not a probability"},
		{"not a number", plainNumber, head + "a,1,NaN\n", `evaluation/predictions.csv, line 2, column 5: the prediction "NaN" is not a decimal number`},
		{"hexadecimal", plainNumber, head + "a,1,0x1p3\n", `evaluation/predictions.csv, line 2, column 5: the prediction "0x1p3" is not a decimal number`},
		{"a space", plainNumber, head + "a,1, 2\n", `evaluation/predictions.csv, line 2, column 5: the prediction " 2" is not a decimal number`},
		{"beyond all numbers", plainNumber, head + "a,1,1e999\n", `evaluation/predictions.csv, line 2, column 5: the prediction "1e999" is not a decimal number`},
		{"a weight of zero", plainNumber, "key,label,prediction,weight\na,1,1,0\n", `evaluation/predictions.csv, line 2, column 7: the weight "0" is not a number above 0`},
		{"a long field", plainNumber, "key,label,prediction,s\na,1,1," + strings.Repeat("x", 4097) + "\n", "evaluation/predictions.csv, line 2, column 7: a field of more than 4096 bytes"},
		{"other bytes than text", plainNumber, "key,label,prediction,s\na,1,1,\xff\n", "evaluation/predictions.csv, line 2, column 7: a field is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(c.manifest, c.predictions)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || !fault.Is(err, fault.Invalid) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// endless is rows without end; each has a key of its own when each is set.
type endless struct {
	each bool
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	line := "k" + strings.Repeat("0", 500) + ",1,1\n"
	if e.each {
		line = fmt.Sprintf("%0500d,1,1\n", e.n)
	}
	if e.n == 0 {
		line = "key,label,prediction\n"
	}
	e.n++
	return copy(p, line), nil
}

func TestAFileIsReadUpToItsBound(t *testing.T) {
	m, err := compare.ReadManifest([]byte(plainNumber))
	if err != nil {
		t.Fatal(err)
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.WriteString(z, "key,label,prediction\n\""); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 2 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = compare.Read(m, compare.PredictionsFileZip, &bomb)
	if !fault.Is(err, fault.Invalid) || err.Error() != "a row of the predictions has more than 512 KiB; look for a quote that is not closed" {
		t.Errorf("a field without end: got %v", err)
	}
	if _, err = compare.Read(m, compare.PredictionsFile, &endless{each: true}); !fault.Is(err, fault.TooLarge) ||
		err.Error() != "the predictions have more than 128 MiB; keep a sample of the rows, the same for each run" {
		t.Errorf("rows without end: got %v", err)
	}
	if _, err = compare.Read(m, compare.PredictionsFile, &endless{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("the same key without end: got %v", err)
	}
	if _, err = compare.Read(m, compare.PredictionsFileZip, strings.NewReader("key")); !fault.Is(err, fault.Invalid) {
		t.Errorf("not compressed: got %v", err)
	}
}

func TestAnEvaluationComesBackAsItWasWritten(t *testing.T) {
	e, err := read(binaryManifest, "key,label,prediction,block,weight,segment\na,no,0.1,x,1,\"q\"\"r\"\nb,yes,0.30000000000000004,y,2,\n")
	if err != nil {
		t.Fatal(err)
	}
	manifest, predictions, err := e.Write()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"format":1,"kind":"binary","dataset":{"name":"bookings-test","digest":"a3f1"},"threshold":0.4}`; string(manifest) != want {
		t.Errorf("got %s", manifest)
	}
	m, err := compare.ReadManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	again, err := compare.Read(m, compare.PredictionsFileZip, bytes.NewReader(predictions))
	e.Positive = "1"
	if diff := cmp.Diff(e, again, cmpopts.IgnoreUnexported(compare.Evaluation{})); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(binaryManifest, []byte("key,label,prediction,weight,block,s\na,yes,0.5,1,x,t\nb,no,0.25,2,,\n"), false)
	f.Add(plainNumber, []byte("key,label,prediction\n\"a\nb\",-1,1e-5\n"), false)
	f.Add(plainBinary, []byte("\x1f\x8b\x08"), true)
	f.Add(`{"format":1,"kind":"binary","threshold":1e-300}`, []byte("key,label,prediction\na,1,0"), false)
	f.Fuzz(func(t *testing.T, manifest string, predictions []byte, zip bool) {
		m, err := compare.ReadManifest([]byte(manifest))
		if err != nil {
			return
		}
		name := compare.PredictionsFile
		if zip {
			name = compare.PredictionsFileZip
		}
		e, err := compare.Read(m, name, bytes.NewReader(predictions))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is not an Invalid fault", err)
			}
			return
		}
		again, written, err := e.Write()
		if err != nil {
			t.Fatal(err)
		}
		m2, err := compare.ReadManifest(again)
		if err != nil {
			t.Fatal(err)
		}
		e2, err := compare.Read(m2, compare.PredictionsFileZip, bytes.NewReader(written))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !cmp.Equal(e.Keys, e2.Keys) || !cmp.Equal(e.Truth, e2.Truth) || !cmp.Equal(e.Score, e2.Score) {
			t.Fatal("the rows came back different")
		}
	})
}
