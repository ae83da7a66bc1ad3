module github.com/mcpfleet/mcpfleet/internal/eval

go 1.26.0

replace github.com/mcpfleet/mcpfleet => ../..

require (
	github.com/mcpfleet/mcpfleet v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
)

require (
	github.com/chewxy/math32 v1.10.1 // indirect
	github.com/kljensen/snowball v0.10.0 // indirect
	github.com/viterin/partial v1.1.0 // indirect
	github.com/viterin/vek v0.4.3 // indirect
	golang.org/x/exp v0.0.0-20240808152545-0cdaa3abc0fa // indirect
	golang.org/x/sys v0.41.0 // indirect
	golang.org/x/text v0.28.0 // indirect
)
