package figures

import "os"

func ExampleTable() {
	t := newTable(os.Stdout, func(int) {}, "session", "go1.26 linux/amd64, some CPU, 2 cores")
	t.Row("acquire of a live session allocates nothing", "0 allocs/op", true)
	t.Row("10,000 idle sessions are swept within 10 ms", "14.1 ms", false)
	t.Note("sweep: median of %d runs", 5)
	t.Exit()
	// Output:
	// ## figures-session
	//
	// go1.26 linux/amd64, some CPU, 2 cores
	//
	// | goal                                                             | got                                  | ok    |
	// | ---------------------------------------------------------------- | ------------------------------------ | ----- |
	// | acquire of a live session allocates nothing                      | 0 allocs/op                          | ok    |
	// | 10,000 idle sessions are swept within 10 ms                      | 14.1 ms                              | SHORT |
	//
	// - sweep: median of 5 runs
	//
	// figures-session: 1 ok, 1 SHORT
}
