package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// public is an address that every policy allows.
var public = netip.MustParseAddr("93.184.216.34")

// forbidden are addresses that Public refuses.
var forbidden = []netip.Addr{
	netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("::1"),
	netip.MustParseAddr("::ffff:192.168.1.1"), netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("64:ff9b::7f00:1"), netip.MustParseAddr("0.0.0.0"),
}

func TestARebindingNameIsNeverFollowed(t *testing.T) {
	for round := range 1000 {
		var dialed []netip.AddrPort
		answers := [][]netip.Addr{{public}, {forbidden[round%len(forbidden)]}}
		e := tracked(Public(), &dialed)
		asked := 0
		e.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) {
			asked++
			return answers[(asked-1)%2], nil
		}
		c := e.Client()
		_, first := c.Get("https://rebind.example/")
		_, second := c.Get("https://rebind.example/")
		var refused *EgressError
		if !errors.Is(first, errDialed) || !errors.As(second, &refused) || refused.Host != "rebind.example" || refused.Addr != answers[1][0] {
			t.Fatalf("round %d: %v, then %v, want a dial, then an EgressError for %v", round, first, second, answers[1])
		}
		if len(dialed) != 1 || dialed[0].Addr() != public {
			t.Fatalf("round %d: dialled %v, want %v alone", round, dialed, public)
		}
	}
}

func TestOfMixedAnswersOnlyTheAllowedAreDialled(t *testing.T) {
	other := netip.MustParseAddr("2606:4700::1111")
	for _, bad := range forbidden {
		for _, answer := range [][]netip.Addr{{public, bad}, {bad, public}, {bad, public, bad, other}, {other, bad, public, bad}} {
			var dialed []netip.AddrPort
			e := tracked(Public(), &dialed, answer...)
			e.Client().Get("https://mixed.example/")
			for _, a := range dialed {
				if a.Addr() != public && a.Addr() != other {
					t.Errorf("answer %v: dialled %v", answer, a)
				}
			}
			if len(dialed) == 0 {
				t.Errorf("answer %v: dialled nothing", answer)
			}
		}
	}
}

// nameServer returns a resolver whose answer to the nth question for an A record is what answer returns.
func nameServer(answer func(n int) []netip.Addr) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				var size [2]byte // DNS over a stream, RFC 1035 section 4.2.2
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				q := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, q); err != nil {
					return
				}
				end := 12
				for q[end] != 0 {
					end += int(q[end]) + 1
				}
				end += 5
				var addrs []netip.Addr
				if q[end-3] == 1 { // A
					addrs = answer(int(asked.Add(1)))
				}
				r := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, q[12:end]...)
				for _, a := range addrs {
					r = append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					r = append(r, a.AsSlice()...)
				}
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

// twoHosts listens on one port of 127.0.0.1 and of 127.0.0.2, and counts what comes in at the second.
func twoHosts(t *testing.T) (port string, second *atomic.Int64) {
	t.Helper()
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "first") }))
	t.Cleanup(first.Close)
	_, port, _ = net.SplitHostPort(first.Listener.Addr().String())
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", port))
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	second = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			second.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return port, second
}

// Without LookupNetIP and Dial a net.Dialer resolves and connects. Its every attempt must be checked too.
func TestTheDialerOfProductionRefusesRebindingAndMixedAnswers(t *testing.T) {
	port, second := twoHosts(t)
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	answers := [][]netip.Addr{{one}, {two}, {one, two}, {two, one}}
	get := func(e *Egress) (failed int) {
		c := e.Client()
		defer c.CloseIdleConnections()
		for round := range 200 {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://rebind.example:"+port+"/", nil)
			req.Close = true
			resp, err := c.Do(req)
			if err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				continue
			}
			failed++
			var refused *EgressError
			if round%4 != 1 || !errors.As(err, &refused) || refused.Host != "rebind.example" || refused.Addr != two {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		return failed
	}
	resolver := func() *net.Resolver { return nameServer(func(n int) []netip.Addr { return answers[(n-1)%4] }) }

	if failed := get(&Egress{AllowPrivate: []netip.Prefix{netip.PrefixFrom(one, 32)}, Resolver: resolver()}); failed != 50 || second.Load() != 0 {
		t.Errorf("%d of 200 failed and %d connections reached the forbidden host, want 50 and 0", failed, second.Load())
	}
	// The same in two steps, as programs do that resolve first and check then, reaches it: the test can fail.
	naive := &http.Transport{DialContext: (&net.Dialer{Resolver: resolver()}).DialContext}
	for range 2 {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://rebind.example:"+port+"/", nil)
		req.Close = true
		if resp, err := naive.RoundTrip(req); err == nil {
			resp.Body.Close()
		}
	}
	if second.Load() == 0 {
		t.Error("an unguarded transport did not reach the forbidden host either")
	}
}

func TestLookupNetIPAndDialWorkAlone(t *testing.T) {
	port, second := twoHosts(t)
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	get := func(e *Egress) error {
		c := e.Client()
		defer c.CloseIdleConnections()
		resp, err := c.Get("http://mcp.example:" + port + "/")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	e := &Egress{AllowPrivate: []netip.Prefix{netip.PrefixFrom(one, 32)}}
	e.LookupNetIP = func(_ context.Context, network, host string) ([]netip.Addr, error) {
		if network != "ip" || host != "mcp.example" {
			t.Errorf("LookupNetIP(%q, %q)", network, host)
		}
		return []netip.Addr{two, one}, nil
	}
	if err := get(e); err != nil || second.Load() != 0 {
		t.Errorf("with LookupNetIP alone: %v, %d forbidden connections", err, second.Load())
	}
	var dialed []netip.AddrPort
	e = tracked(e, &dialed)
	e.LookupNetIP, e.Resolver = nil, nameServer(func(int) []netip.Addr { return []netip.Addr{two, one} })
	if err := get(e); len(dialed) != 1 || dialed[0].Addr() != one {
		t.Errorf("with Dial alone: %v, dialled %v", err, dialed)
	}
	e.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }
	var dns *net.DNSError
	if err := get(e); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("a name without addresses gives %v, want a DNSError", err)
	}
}

// HTTP_PROXY is read once in a process, so this needs one of its own.
func TestTheProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	if os.Getenv("MCPFLEET_EGRESS_CHILD") != "" {
		var dialed []netip.AddrPort
		for _, e := range []*Egress{new(Egress), Operator()} {
			e = tracked(e, &dialed, public)
			e.Client().Get("http://mcp.example/")
			e.Client().Get("https://mcp.example/")
		}
		for _, a := range dialed {
			fmt.Println("guarded", a)
		}
		p, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "http", Host: "mcp.example"}})
		fmt.Println("environment", p, err)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestTheProxyOfTheEnvironmentIsNotUsed$")
	const proxy = "http://127.0.0.1:3128"
	cmd.Env = append(os.Environ(), "MCPFLEET_EGRESS_CHILD=1", "NO_PROXY=", "no_proxy=", "HTTP_PROXY="+proxy, "http_proxy="+proxy, "HTTPS_PROXY="+proxy, "https_proxy="+proxy,
		"ALL_PROXY="+proxy)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"guarded 93.184.216.34:80", "guarded 93.184.216.34:443", "environment " + proxy} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "guarded 127.0.0.1") {
		t.Errorf("the proxy of the environment was dialled:\n%s", out)
	}
}

func TestAProxyMayHaveAnyAddressAndMayNotBeVisited(t *testing.T) {
	var dialed []netip.AddrPort
	e := tracked(new(Egress), &dialed, netip.MustParseAddr("10.0.0.9"))
	e.Proxy = func(r *http.Request) (*url.URL, error) {
		if strings.HasPrefix(r.URL.Hostname(), "direct") || r.URL.Hostname() == "proxy.example" {
			return nil, nil
		}
		return url.Parse("http://proxy.example:3128")
	}
	c := e.Client()
	var refused *EgressError
	for _, tt := range []struct {
		url     string
		dialed  string
		refused bool
	}{
		{"http://proxy.example:3128/", "", true}, // not yet named: a host as any other
		{"http://mcp.example/", "10.0.0.9:3128", false},
		{"https://mcp.example/", "10.0.0.9:3128", false},
		{"http://127.0.0.1/", "", true},
		{"https://[::1]/", "", true},
		{"https://2130706433/", "", true},
		{"https://①②⑦.0.0.1/", "", true},
		{"https://localhost/", "", true},
		{"https://user@mcp.example/", "", true},
		{"http://metadata.google.internal/", "", true},
		{"http://direct.example/", "", true},     // resolves to a private address, and no proxy asks for it
		{"http://proxy.example:3128/", "", true}, // and nothing is gained by asking the proxy itself
		{"http://proxy.example:80/", "", true},
	} {
		dialed = dialed[:0]
		_, err := c.Get(tt.url)
		if got := strings.Trim(fmt.Sprint(dialed), "[]"); got != tt.dialed || errors.As(err, &refused) != tt.refused {
			t.Errorf("%s dialled %q and gives %v, want %q, refused %t", tt.url, got, err, tt.dialed, tt.refused)
		}
	}
	e.Proxy = func(*http.Request) (*url.URL, error) { return nil, io.ErrUnexpectedEOF }
	if _, err := e.Client().Get("http://mcp.example/"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an error of Proxy gives %v", err)
	}
}

func TestATransportForHTTPSLetsNoHTTPOut(t *testing.T) {
	var dialed []netip.AddrPort
	e := tracked(Public(), &dialed, public)
	for name, tr := range map[string]*http.Transport{"fresh": e.Transport(), "cloned": e.Transport().Clone()} {
		for _, u := range []string{"http://mcp.example/", "http://mcp.example:443/", "HTTP://8.8.8.8/"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u, strings.NewReader("secret"))
			if err != nil {
				t.Fatal(err)
			}
			var refused *EgressError
			if _, err := tr.RoundTrip(req); !errors.As(err, &refused) || len(dialed) > 0 {
				t.Errorf("%s transport: %s gives %v and dials %v", name, u, err, dialed)
			}
		}
	}
}

// A transport remembers what passed last. That opens the way for nothing else, and for that only as it was.
func TestAURLThatPassedOpensTheWayForNoOther(t *testing.T) {
	for _, p := range policies() {
		used := p.e.Transport()
		for _, v := range urlVectors {
			for raw := range strings.FieldsSeq(v.urls) {
				u, err := url.Parse(raw)
				if err != nil {
					continue
				}
				for _, other := range []*url.URL{
					u, {Scheme: "http", Host: u.Host}, {Scheme: "https", Host: u.Host}, {Scheme: "ftp", Host: u.Host}, {Scheme: u.Scheme, Host: u.Host + "."},
					{Scheme: u.Scheme, Host: u.Host, User: url.User("u")}, {Scheme: u.Scheme, Host: u.Host, Opaque: "x"}, {Scheme: u.Scheme, Host: u.Host + ":0"},
				} {
					_, warm := used.Proxy(&http.Request{URL: other})
					if cold := p.e.CheckURL(other); (warm == nil) != (cold == nil) {
						t.Errorf("%s: %q after others: %v, by itself: %v", p.name, other, warm, cold)
					}
				}
			}
		}
	}
}

// A host that the URL does not show as a number may be one once it is prepared for DNS.
func TestTheDialChecksTheHostOnceMore(t *testing.T) {
	var dialed []netip.AddrPort
	tr := tracked(Public(), &dialed, public).Transport()
	for _, host := range []string{"2130706433", "0x7f000001", "127.1", "127.0.0.1.", "localhost", "metadata.google.internal", "a..example", ""} {
		var refused *EgressError
		if _, err := tr.DialContext(t.Context(), "tcp", host+":443"); !errors.As(err, &refused) || len(dialed) > 0 {
			t.Errorf("dialling %q: %v, dialled %v", host, err, dialed)
		}
	}
}

func TestChangesToTheGuardDoNotReachItsTransports(t *testing.T) {
	var dialed []netip.AddrPort
	e := tracked(Public(), &dialed, public)
	e.AllowPrivate = prefixes("10.20.0.0/16")
	clients := []*http.Client{e.Client(), {Transport: e.Transport()}}
	e.HTTPSOnly, e.AllowLoopback, e.AllowPrivate[0] = false, true, prefixes("0.0.0.0/0")[0]
	for _, c := range clients {
		dialed = nil
		for _, u := range []string{"http://mcp.example/", "https://127.0.0.1/", "https://192.168.0.1/"} {
			if _, err := c.Get(u); len(dialed) > 0 {
				t.Errorf("%s: %v, dialled %v", u, err, dialed)
			}
		}
		if c.Get("https://10.20.0.1/"); len(dialed) != 1 {
			t.Errorf("dialled %v, want the network that was named first", dialed)
		}
	}
}

func TestControlRefusesWhatIsNoAddress(t *testing.T) {
	e := &Egress{AllowPrivate: prefixes("0.0.0.0/0", "::/0")}
	for _, address := range []string{"", ":80", "mcp.example:80", "8.8.8.8", "/run/docker.sock", "@abstract", "8.8.8.8:http"} {
		var refused *EgressError
		if err := e.Control("tcp", address, nil); !errors.As(err, &refused) {
			t.Errorf("Control(%q) = %v, want an EgressError", address, err)
		}
	}
}
