// Package mcptest holds the MCP servers that the tests, figures and benchmarks of this module run against.
//
//   - [Raw] is a streamable HTTP server written without any MCP library, so that every byte of it can be scripted: how it
//     loses sessions, which protocol era it speaks, how slowly it connects. It counts and journals what reached it.
//   - A [Fault] makes an otherwise honest Raw server hostile in one way; [Attacks] lists them.
//   - [ChildMain] and [ChildCommand] turn the running binary into stdio servers, honest and not.
//   - [NewSDKServer] is an honest server of all content kinds and features, built on the Go SDK.
//   - [Host] is a listener that can be stopped and started again on its port, as a crashed server is.
//   - [Goroutines], [OpenFiles], [ProcessGroup] and [HeapInUse] see what a test left behind.
//
// The package imports nothing else of this module, so that every other package may use it.
package mcptest
