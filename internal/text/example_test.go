package text_test

import (
	"fmt"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

func ExampleWords() {
	for _, w := range text.Words(nil, "Call createPullRequest") {
		fmt.Println(w.Text, w.Part, w.Joined)
	}
	// Output:
	// call 0 false
	// create 0 false
	// pull 1 false
	// request 2 false
	// createpullrequest 3 true
}

func ExampleSentences() {
	for _, s := range text.Sentences(nil, "Fix e.g. main.go v1.2. Then:\n- run the tests\n- open a PR") {
		fmt.Printf("%q\n", s)
	}
	// Output:
	// "Fix e.g. main.go v1.2."
	// "Then:"
	// "run the tests"
	// "open a PR"
}

func ExampleStem() {
	fmt.Println(text.Stem("repositories"), text.Stem("repository"))
	// Output: repositori repositori
}

func ExampleFold() {
	fmt.Println(text.Fold("Größe ＮＥＷ café"))
	// Output: grosse new cafe
}

func ExampleGrams() {
	fmt.Println(len(text.Grams(nil, "list", 3, 5))) // _li lis ist st_ _lis list ist_ _list list_
	// Output: 9
}
