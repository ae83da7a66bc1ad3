package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"

	"github.com/mcpfleet/mcpfleet/auth"
)

func ExamplePublic() {
	guard := auth.Public()
	for _, s := range []string{"https://mcp.example/mcp", "http://mcp.example/mcp", "https://10.0.0.7/mcp", "https://2130706433/mcp"} {
		u, _ := url.Parse(s)
		fmt.Println(guard.CheckURL(u))
	}
	// Output:
	// <nil>
	// auth: egress to "mcp.example" refused: http is not encrypted; use https, or set Egress.HTTPSOnly to false
	// auth: egress to "10.0.0.7" refused: it is a private address (RFC 1918); Egress.AllowPrivate allows it
	// auth: egress to "2130706433" refused: the host is a number in a form that only some resolvers take for an address; write it as four decimal numbers
}

func ExampleOperator() {
	guard := auth.Operator()
	for _, s := range []string{"127.0.0.1", "192.168.1.20", "fd12::1", "169.254.169.254"} {
		fmt.Println(guard.CheckAddr(netip.MustParseAddr(s)))
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// auth: egress to 169.254.169.254 refused: it is a metadata service of a cloud; Egress.AllowPrivate allows it by a prefix of this address alone
}

// One private network, beside all public ones.
func ExampleEgress() {
	guard := auth.Public()
	guard.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	fmt.Println(guard.CheckAddr(netip.MustParseAddr("10.20.3.4")))
	fmt.Println(guard.CheckAddr(netip.MustParseAddr("10.21.3.4")))
	// Output:
	// <nil>
	// auth: egress to 10.21.3.4 refused: it is a private address (RFC 1918); Egress.AllowPrivate allows it
}

// A server that redirects to another place gets nothing sent there.
func ExampleEgress_Client() {
	server := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect))
	defer server.Close()

	client := auth.Operator().Client()
	defer client.CloseIdleConnections()
	_, err := client.Get(server.URL)
	var refused *auth.EgressError
	if errors.As(err, &refused) {
		fmt.Println(refused.Host, "-", refused.Reason)
	}
	// Output:
	// 169.254.169.254 - it is a metadata service of a cloud; Egress.AllowPrivate allows it by a prefix of this address alone
}

// A test in which names resolve as it likes and no connection leaves the process.
func ExampleEgress_Transport() {
	guard := auth.Public()
	answers := []string{"93.184.216.34", "127.0.0.1"} // a name that rebinds
	guard.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) {
		a := netip.MustParseAddr(answers[0])
		answers = answers[1:]
		return []netip.Addr{a}, nil
	}
	guard.Dial = func(_ context.Context, _ string, addr netip.AddrPort) (net.Conn, error) {
		fmt.Println("dial", addr)
		return nil, errors.New("no network here")
	}

	client := &http.Client{Transport: guard.Transport()}
	for range 2 {
		_, err := client.Get("https://rebind.example/")
		fmt.Println(err)
	}
	// Output:
	// dial 93.184.216.34:443
	// Get "https://rebind.example/": no network here
	// Get "https://rebind.example/": auth: egress to "rebind.example" at 127.0.0.1 refused: it is a loopback address; Egress.AllowLoopback allows it
}

// The guard within a dialer of one's own.
func ExampleEgress_Control() {
	dialer := &net.Dialer{Control: auth.Public().Control}
	_, err := dialer.Dial("tcp", "127.0.0.1:80")
	fmt.Println(err)
	// Output:
	// dial tcp 127.0.0.1:80: auth: egress to 127.0.0.1 refused: it is a loopback address; Egress.AllowLoopback allows it
}
