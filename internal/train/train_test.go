package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/selector/static"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// toyInputs writes small inputs of all three kinds and a measured set, and returns the arguments that name them.
func toyInputs(t *testing.T) (args []string, measured string) {
	t.Helper()
	dir := t.TempDir()
	verbs, things := []string{"create", "delete", "list", "update"}, []string{"issue", "file", "invoice", "event", "page"}
	var lines, queries strings.Builder
	for s, thing := range things {
		var tools []map[string]any
		for _, verb := range verbs {
			tools = append(tools, map[string]any{
				"name": verb + "_" + thing, "description": fmt.Sprintf("To %s the %s. It is done at once.", verb, thing),
				"input_schema": map[string]any{"properties": map[string]any{
					"title": map[string]any{"description": "title of the " + thing}, thing + "_id": map[string]any{},
				}},
			})
			id := fmt.Sprintf("%s::%s_%s", thing, verb, thing)
			fmt.Fprintf(&lines, `{"id": %q, "server": "measured", "name": "%s_%s", "description": "Another description of %s %s"}`+"\n", id, verb, thing, verb, thing)
			fmt.Fprintf(&queries, `{"text": "please %s my %s", "groups": [[%q]], "steps": ["%s %s"]}`+"\n", verb, thing, id, verb, thing)
		}
		b, err := json.Marshal(map[string]any{
			"labels": map[string]any{"analysis": "This server keeps " + thing + "s for teams."},
			"metadata": map[string]any{
				"server_name": thing + " server", "remote_server_response": map[string]any{"tools": tools},
				"server_info_crawled": map[string]any{"overview": "Manage every " + thing + "."},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "toucan/mcp_servers", fmt.Sprintf("%04d.json", s)), string(b))
	}
	measured = filepath.Join(dir, "measured")
	write(t, filepath.Join(measured, "tools.jsonl"), lines.String())
	write(t, filepath.Join(measured, "queries.jsonl"), queries.String())

	const licence = "  1 A licence.\n"
	write(t, filepath.Join(dir, "wn/data.verb"), licence+
		`00000001 30 v 02 make 0 create 0 001 @ 00000002 v 0000 01 + 08 00 | bring into existence; "she made a file"`+"\n"+
		`00000002 30 v 01 change 0 000 01 + 08 00 | x`+"\n")
	write(t, filepath.Join(dir, "wn/index.verb"), licence+
		"change v 1 0 1 0 00000002\ncreate v 1 1 @ 1 0 00000001\nmake v 1 1 @ 1 0 00000001\n")
	for _, pos := range []string{"noun", "adj", "adv"} {
		write(t, filepath.Join(dir, "wn/data."+pos), licence)
		write(t, filepath.Join(dir, "wn/index."+pos), licence)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	glove := `{"size":3,"words":["the","file","make"],"vectors":{`
	for rank, word := range []string{"the", "file", "make", "page", "zzz"} {
		if rank > 0 {
			glove += ","
		}
		glove += fmt.Sprintf("%q:[", word)
		for range gloveDim {
			glove += fmt.Sprintf("%.4f,", rng.NormFloat64())
		}
		glove += fmt.Sprintf("10,%d]", rank)
	}
	write(t, filepath.Join(dir, "glove.json"), glove+`},"unkVector":[0,-1]}`)
	return []string{
		"-toucan", filepath.Join(dir, "toucan"), "-wordnet", filepath.Join(dir, "wn"), "-glove", filepath.Join(dir, "glove.json"), "-exclude", measured,
	}, measured
}

// toyRecipe is small enough for a test.
func toyRecipe() recipe {
	r := shipped
	r.Name, r.Dim, r.Buckets, r.MinCount, r.Batch, r.ToolEpochs, r.MeaningEpochs = "mcpfleet-toy", 32, 64, 1, 16, 60, 60
	return r
}

func TestTrainingTwiceGivesTheSameBytes(t *testing.T) {
	args, measured := toyInputs(t)
	var models [][]byte
	for range 2 {
		out := filepath.Join(t.TempDir(), "model.bin")
		if err := runModel(t.Context(), append(args, "-out", out), toyRecipe(), io.Discard); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, b)
		var figures bytes.Buffer
		if err := run(t.Context(), []string{"measure", "-model", out, measured}, &figures, io.Discard); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(figures.String(), "measured, by step") {
			t.Errorf("measure wrote %q", figures.String())
		}
	}
	if !bytes.Equal(models[0], models[1]) {
		t.Error("two trainings with the same inputs and seed differ")
	}
}

func TestTrainingLearns(t *testing.T) {
	args, measured := toyInputs(t)
	untrained, trained := toyRecipe(), toyRecipe()
	untrained.ToolEpochs, untrained.MeaningEpochs = 1, .5
	var recall []float64
	for _, r := range []recipe{untrained, trained} {
		out := filepath.Join(t.TempDir(), "model.bin")
		if err := runModel(t.Context(), append(args, "-out", out), r, io.Discard); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		e, err := static.New(b)
		if err != nil {
			t.Fatal(err)
		}
		s, err := readSet(measured)
		if err != nil {
			t.Fatal(err)
		}
		recall = append(recall, s.measure(e, s.vectors(e), mix{model: 1}, false).hit1)
	}
	if recall[1] < .9 || recall[1] < recall[0] {
		t.Errorf("hit@1 %.2f after little training, %.2f after more; want more, and at least .9", recall[0], recall[1])
	}
}

func TestToolsOfMeasuredSetsAreLeftOut(t *testing.T) {
	args, measured := toyInputs(t)
	write(t, filepath.Join(measured, "tools.jsonl"), `{"id": "x", "description": "To  CREATE the issue. It is done at once."}`)
	tools, servers, err := readToucan(args[1])
	if err != nil {
		t.Fatal(err)
	}
	left, err := exclude(tools, servers, []string{measured})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 19 || servers["issue server"] != nil || servers["file server"] == nil {
		t.Errorf("%d of 20 tools left, %d of 5 texts on servers", len(left), len(servers))
	}
}

func TestInputErrorsNameTheFile(t *testing.T) {
	args, _ := toyInputs(t)
	for name, cut := range map[string]int{"toucan/mcp_servers/0003.json": 3, "wn/data.verb": 3, "wn/index.verb": 3, "glove.json": 100} {
		file := filepath.Join(filepath.Dir(args[1]), name)
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, content := range []string{string(before[:len(before)-cut]), "x"} {
			write(t, file, content)
			err := runModel(t.Context(), append(args, "-out", filepath.Join(t.TempDir(), "m")), toyRecipe(), io.Discard)
			if err == nil || !strings.Contains(err.Error(), filepath.Base(name)) {
				t.Errorf("with a damaged %s: %v", name, err)
			}
		}
		write(t, file, string(before))
	}
}

func TestCancelledTrainingStops(t *testing.T) {
	args, _ := toyInputs(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := runModel(ctx, append(args, "-out", filepath.Join(t.TempDir(), "m")), toyRecipe(), io.Discard); err == nil {
		t.Error("no error")
	}
}

// The gradient is what everything rests on: it is compared with differences of the loss.
func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	lex := newLexicon()
	for _, w := range []string{"alpha", "beta", "gamma", "delta", "unknownone", "unknowntwo"} {
		lex.text(w, 1)
	}
	lex.assign(8, func(id int32) bool { return id < 4 })
	r := recipe{Batch: 3, Temperature: .3}
	m := newModel(lex, 8, rand.New(rand.NewPCG(3, 3)))
	for i := range m.weight {
		m.weight[i] = float32(i%3) * .2
	}
	b := &batch{}
	b.add(lex, []int32{0, 1, 1, ^3}, []int32{0, 4}, [2]int32{1, 1}, 1, false)
	b.add(lex, []int32{2}, []int32{2, 3, 5}, [2]int32{2, 2}, 2, false)
	b.add(lex, []int32{3, 0}, []int32{1}, [2]int32{3, 1}, 3, false) // shares a mark with the first
	loss := func() float64 {
		return newTrainer(m, &r).gradient(b)
	}
	g := newTrainer(m, &r)
	g.gradient(b)
	check := func(name string, x *float32, want float32) {
		t.Helper()
		const h = 1e-2
		before := *x
		*x = before + h
		up := loss()
		*x = before - h
		down := loss()
		*x = before
		if slope := (up - down) / (2 * h); math.Abs(slope-float64(want)) > 2e-3 {
			t.Errorf("%s: gradient %v, slope %v", name, want, slope)
		}
	}
	for i := range m.vec {
		check(fmt.Sprintf("number %d", i), &m.vec[i], g.vecGrad[i])
	}
	for i := range m.weight {
		check(fmt.Sprintf("weight %d", i), &m.weight[i], g.weightGrad[i])
	}
}

// Training and embedding read and count texts separately; they must agree.
func TestTrainedVectorsAreThoseOfPackageStatic(t *testing.T) {
	lex := newLexicon()
	texts := []string{
		"create the issue", "createIssue for unknownword", "create create creating unknownword unknownwords", "utf8 7c1e a", "zebra",
	}
	for _, s := range texts {
		lex.text(s, 1)
	}
	lex.assign(32, func(id int32) bool { return strings.HasPrefix(lex.words[id], "creat") || lex.words[id] == "issu" })
	m := newModel(lex, 32, rand.New(rand.NewPCG(5, 5)))
	for r := range m.trained {
		m.trained[r] = true
		m.weight[r] = float32(r%5)*.3 - .6
	}
	b, err := m.weights("test").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	e, err := static.New(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range texts {
		request, document := make([]float32, m.dim), make([]float32, m.dim)
		m.embed(request, lex.bag(lex.text(s, 0), false))
		m.embed(document, lex.bag(lex.text(s, 0), true))
		want := 1.
		if dot(request, request) == 0 {
			want = 0 // nothing known
		}
		if c := dot(request, e.Embed(nil, s)); math.Abs(c-want) > .001 {
			t.Errorf("cosine of the two vectors of request %q = %v, want %v", s, c, want)
		}
		if c := dot(document, e.EmbedDocument(nil, s)); math.Abs(c-want) > .001 {
			t.Errorf("cosine of the two vectors of document %q = %v, want %v", s, c, want)
		}
	}
}

func TestUntrainedWordsAreNotShipped(t *testing.T) {
	lex := newLexicon()
	lex.text("alpha beta", 1)
	lex.assign(4, func(int32) bool { return true })
	m := newModel(lex, 2, rand.New(rand.NewPCG(1, 1)))
	m.trained[1] = true
	w := m.weights("test")
	if len(w.Words) != 1 || w.Words[0] != lex.vocab[1] || len(w.Vectors) != (1+4)*2 {
		t.Fatalf("shipped are the words %v with %d numbers", w.Words, len(w.Vectors))
	}
	for _, x := range w.Vectors[2:] {
		if x != 0 {
			t.Error("an untrained n-gram has a vector")
		}
	}
}

func TestJudgeCountsEquivalentToolsOnce(t *testing.T) {
	groups := [][]string{{"a", "b"}, {"c"}}
	for _, test := range []struct {
		order []string
		want  figures
	}{
		{[]string{"a", "b", "c"}, figures{(1 + .5) / (1 + 1/math.Log2(3)), 1, 1, 1}},
		{[]string{"x", "c", "x", "x", "x", "b"}, figures{(1/math.Log2(3) + 1/math.Log2(7)) / (1 + 1/math.Log2(3)), .5, 1, 0}},
		{[]string{"x"}, figures{}},
		{nil, figures{}},
	} {
		got := judge(test.order, groups)
		if math.Abs(got.ndcg10-test.want.ndcg10) > 1e-9 || got.recall5 != test.want.recall5 || got.recall10 != test.want.recall10 || got.hit1 != test.want.hit1 {
			t.Errorf("judge(%v) = %v, want %v", test.order, got, test.want)
		}
	}
}
