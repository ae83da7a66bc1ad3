//go:build unix

package stdio_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/mcpfleet/mcpfleet/internal/stdio"
)

func ExampleStart() {
	// A server that greets before it speaks its protocol: here one that sends back what it gets.
	p, err := stdio.Start(stdio.Config{Command: "sh", Args: []string{"-c", "echo Welcome; cat"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	fmt.Fprintln(p.Stdin(), `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	line, err := bufio.NewReader(p.Stdout()).ReadString('\n')
	fmt.Print(line)
	fmt.Println(err, p.Junk())
	// Output:
	// {"jsonrpc":"2.0","id":1,"method":"ping"}
	// <nil> [Welcome]
}

func ExampleProcess_Err() {
	p, err := stdio.Start(stdio.Config{Command: "sh", Args: []string{"-c", "echo 'no API key' >&2; exit 2"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	<-p.Done()
	var exit *stdio.ExitError
	fmt.Println(errors.As(p.Err(), &exit), exit.ExitCode, errors.Is(exit, io.EOF))
	fmt.Println(exit)
	// Output:
	// true 2 true
	// stdio: "sh" exited with status 2; its standard error ends with: no API key
}
