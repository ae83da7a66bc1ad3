package vector_test

import (
	"errors"
	"fmt"

	"github.com/mcpfleet/mcpfleet/selector/vector"
)

func ExampleIndex_Search() {
	x, err := vector.New(2).Append([]float32{1, 0}, []float32{0, 5}, []float32{3, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	hits, err := x.Search(nil, []float32{2, 1}, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range hits {
		fmt.Printf("row %d: %.2f\n", h.Row, h.Score)
	}
	// Output:
	// row 2: 0.95
	// row 0: 0.89
}

// Rows that are not allowed are not looked at, so there are as many hits as there can be.
func ExampleIndex_Search_allowed() {
	x, _ := vector.New(2).Append([]float32{1, 0}, []float32{0, 5}, []float32{3, 3})
	allowed := []uint64{1<<0 | 1<<1}
	hits, _ := x.Search(nil, []float32{2, 1}, 2, allowed)
	for _, h := range hits {
		fmt.Println("row", h.Row)
	}
	// Output:
	// row 0
	// row 1
}

func ExampleIndex_SearchBatch() {
	x, _ := vector.New(2).Append([]float32{1, 0}, []float32{0, 5}, []float32{3, 3})
	found, _ := x.SearchBatch(nil, [][]float32{{1, 0}, {0, 1}}, 1, nil)
	for query, hits := range found {
		fmt.Println("query", query, "is most like row", hits[0].Row)
	}
	// Output:
	// query 0 is most like row 0
	// query 1 is most like row 1
}

func ExampleIndex_Scores() {
	x, _ := vector.New(2).Append([]float32{1, 0}, []float32{0, 5}, []float32{-3, 0})
	scores, _ := x.Scores(nil, []float32{4, 0})
	fmt.Println(scores)
	// Output: [1 0 -1]
}

func ExampleIndex_Append() {
	old, _ := vector.New(2).Append([]float32{1, 0})
	grown, _ := old.Append([]float32{0, 1})
	fmt.Println(old.Len(), grown.Len())

	_, err := grown.Append([]float32{1, 1}, []float32{0, 0})
	fmt.Println(errors.Is(err, vector.ErrZero))
	fmt.Println(err)
	// Output:
	// 1 2
	// true
	// vector: row 1 is zero, which has no direction; leave out texts that the embedder cannot embed
}

func ExampleIndex_Keep() {
	x, _ := vector.New(2).Append([]float32{1, 0}, []float32{0, 1}, []float32{3, 4})
	y := x.Keep([]uint64{1<<0 | 1<<2})
	fmt.Println(y.Len(), y.Row(1))
	// Output: 2 [0.6 0.8]
}

// A service that answers one search at a time may use all of its cores for it.
func ExampleIndex_Parallel() {
	x := vector.New(384).Parallel(8)
	fmt.Println(x.Len(), x.Dim())
	// Output: 0 384
}
