module github.com/mcpfleet/mcpfleet/internal/linearizability

go 1.26.0

replace github.com/mcpfleet/mcpfleet => ../..

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/mcpfleet/mcpfleet v0.0.0
	go.uber.org/goleak v1.3.0
)
