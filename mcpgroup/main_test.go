package mcpgroup

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

func TestMain(m *testing.M) {
	mcptest.ChildMain() // the test binary is also the stdio server of the tests
	if code := m.Run(); code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}
