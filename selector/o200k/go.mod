module github.com/mcpfleet/mcpfleet/selector/o200k

go 1.26.0

require (
	github.com/mcpfleet/mcpfleet v0.0.0
	github.com/tiktoken-go/tokenizer v0.10.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/dlclark/regexp2/v2 v2.5.1 // indirect
	github.com/kljensen/snowball v0.10.0 // indirect
	golang.org/x/text v0.28.0 // indirect
)

replace github.com/mcpfleet/mcpfleet => ../..
