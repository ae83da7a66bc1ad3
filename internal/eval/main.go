// The program eval measures how well the selector finds tools, on sets of labelled requests that are not part of this
// repository.
//
// Without -tools it measures the development sets below the directory -data and compares them with its goals:
//
//	MCPFLEET_DATA=~/data go run .            # status 1 if a goal is missed, 3 without data
//	go run . -data ~/data -update            # and keep the figures as the baseline of later runs
//
// With -tools and -requests it measures one set, without goals:
//
//	go run . -tools tools.jsonl -requests queries.jsonl -worst 20
//
// A line of the tools is {"id", "server", "name", "description", "input_schema"}, one of the requests {"id", "text", "groups",
// "steps"}, see [Tool] and [Request].
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

func main() {
	log.SetFlags(0)
	data := flag.String("data", os.Getenv("MCPFLEET_DATA"), "`directory` with catalogue and dev/*, or with one tools.jsonl and queries.jsonl")
	tools := flag.String("tools", "", "`file` with the tools of one set")
	requests := flag.String("requests", "", "`file` with the requests of one set")
	baseline := flag.String("baseline", baselineFile(), "`file` with the figures of an earlier version")
	update := flag.Bool("update", false, "write the figures to the baseline")
	worst := flag.Int("worst", 0, "print the `n` requests of one set that are answered worst")
	flag.Parse()

	before, err := ReadBaseline(*baseline)
	check(err)
	switch {
	case *tools != "" && *requests != "":
		set, err := ReadSet(filepath.Base(filepath.Dir(*tools)), *tools, *requests)
		check(err)
		one(set, before, *worst)
	case *tools != "" || *requests != "":
		log.Fatal("eval: -tools and -requests go together")
	case *data == "":
		figures.Absent("MCPFLEET_DATA is not set; export the directory of the labelled sets, or pass -data DIR")
	case exists(filepath.Join(*data, "tools.jsonl")):
		set, err := FindSet(*data)
		check(err)
		one(set, before, *worst)
	case !exists(filepath.Join(*data, "catalogue", "tools.jsonl")):
		figures.Absent(*data + " holds neither tools.jsonl nor catalogue/tools.jsonl; pass the directory of the labelled sets as -data DIR")
	default:
		Goals(*data, before, func(after Baseline) {
			if *update {
				check(after.Write(*baseline))
			}
		})
	}
}

// one measures one set.
func one(set *Set, before Baseline, worst int) {
	for _, t := range tasks(set) {
		Compare(t).Print(os.Stdout, before[t.Name])
		if worst > 0 {
			Worst(t, worst)
		}
	}
}

// baselineFile returns the file next to this program, as seen from its own directory and from that of the repository.
func baselineFile() string {
	if from := filepath.Join("internal", "eval", "baseline.json"); exists(from) {
		return from
	}
	return "baseline.json"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
