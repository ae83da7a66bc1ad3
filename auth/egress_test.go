package auth

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAnEgressErrorSaysWhatWhyAndWhichFieldWouldAllowIt(t *testing.T) {
	for _, tt := range []struct {
		e    *Egress
		url  string
		want []string
	}{
		{Public(), "http://mcp.example/PATH?QUERY", []string{`"mcp.example"`, "Egress.HTTPSOnly"}},
		{Public(), "https://127.0.0.1:8080/PATH", []string{`"127.0.0.1"`, "loopback", "Egress.AllowLoopback"}},
		{Public(), "https://localhost/PATH", []string{`"localhost"`, "Egress.AllowLoopback"}},
		{Public(), "https://[::ffff:10.0.0.1]/PATH", []string{"10.0.0.1", "RFC 1918", "Egress.AllowPrivate"}},
		{Operator(), "http://169.254.169.254/PATH", []string{"metadata", "Egress.AllowPrivate", "alone"}},
		{Operator(), "http://[fe80::1%25eth0]/PATH", []string{`"fe80::1"`, "link-local", "Egress.AllowPrivate"}},
		{Operator(), "http://[::1%25lo]/PATH", []string{`"::1"`, "zone", "remove"}},
		{Operator(), "http://[64:ff9b::808:808]/PATH", []string{"NAT64", "Egress.NAT64"}},
		{&Egress{NAT64: prefixes("64:ff9b::/96")}, "http://[64:ff9b::a00:1]/PATH", []string{"64:ff9b::a00:1", "stands for 10.0.0.1", "RFC 1918"}},
		{Operator(), "ftp://mcp.example/PATH", []string{`"mcp.example"`, "http and https"}},
		{Operator(), "https://USER:PASS@mcp.example/PATH?QUERY#FRAGMENT", []string{`"mcp.example"`, "header"}},
		{Operator(), "https://0x7f.1/PATH", []string{`"0x7f.1"`, "four decimal numbers"}},
		{Operator(), "https://①.example/PATH", []string{"Punycode"}},
		{Operator(), "https:PATH", []string{"//"}},
		{Operator(), "https:///PATH", []string{"no host"}},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		err = tt.e.CheckURL(u)
		if err == nil {
			t.Errorf("%s is allowed", tt.url)
			continue
		}
		mustBeEgressError(t, err)
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %s in it", tt.url, err, w)
			}
		}
		for _, secret := range []string{"PATH", "QUERY", "USER", "PASS", "FRAGMENT", "%", "eth0"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v shows %s", tt.url, err, secret)
			}
		}
	}
}

func TestAnEgressErrorShowsNoHostThatMayBeMore(t *testing.T) {
	for _, host := range []string{"USER:HIDDEN@mcp.example", "mcp.example/HIDDEN", "mcp.example?HIDDEN", "mcp.example#HIDDEN", `mcp.example\HIDDEN`,
		"mcp.example%2fHIDDEN", "[::1]@HIDDEN", "HIDDEN\x1b[31m", "HIDDEN\u202e", "HIDDEN\n", "HIDDEN\xff", strings.Repeat("HIDDEN", 50)} {
		err := Public().CheckURL(&url.URL{Scheme: "https", Host: host})
		if err == nil {
			t.Errorf("%q is allowed", host)
			continue
		}
		mustBeEgressError(t, err)
		if strings.Contains(err.Error(), "HIDDEN") {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestCheckURLTakesWhateverURLItIsGiven(t *testing.T) {
	for _, u := range []*url.URL{nil, {}, {Scheme: "https"}, {Scheme: "https", Host: "["}, {Scheme: "https", Host: "]"}, {Scheme: "https", Host: "[]:"},
		{Scheme: "https", Host: ":"}, {Scheme: "https", Host: "mcp.example", Opaque: "//mcp.example/"}, {Scheme: "https", Host: "mcp.example", User: new(url.Userinfo)}} {
		err := new(Egress).CheckURL(u)
		if err == nil {
			t.Errorf("%v is allowed", u)
			continue
		}
		mustBeEgressError(t, err)
	}
	if err := Public().CheckURL(&url.URL{Scheme: "HTTP", Host: "mcp.example"}); err == nil {
		t.Error("HTTP in capitals passes HTTPSOnly")
	}
	if err := new(Egress).CheckAddr(netip.Addr{}); err == nil {
		t.Error("the zero address is allowed")
	}
}

func TestNAT64IsJudgedByTheIPv4AddressWithin(t *testing.T) {
	for _, tt := range []struct {
		nat64, addr string
		want        bool
	}{
		// The examples of RFC 6052 section 2.4, with networks and addresses that are not for documentation.
		{"2a00:db8::/32", "2a00:db8:808:808::", true},
		{"2a00:db8::/32", "2a00:db8:a00:1::", false},
		{"2a00:db8:100::/40", "2a00:db8:108:808:8::", true},
		{"2a00:db8:100::/40", "2a00:db8:10a:0:1::", false},
		{"2a00:db8:122::/48", "2a00:db8:122:808:8:800::", true},
		{"2a00:db8:122::/48", "2a00:db8:122:a00:0:100::", false},
		{"2a00:db8:122:300::/56", "2a00:db8:122:308:8:808::", true},
		{"2a00:db8:122:300::/56", "2a00:db8:122:30a:0:1::", false},
		{"2a00:db8:122:344::/64", "2a00:db8:122:344:8:808:800::", true},
		{"2a00:db8:122:344::/64", "2a00:db8:122:344:a:0:100::", false},
		{"2a00:db8:122:344::/96", "2a00:db8:122:344::8.8.8.8", true},
		{"2a00:db8:122:344::/96", "2a00:db8:122:344::10.0.0.1", false},
		{"64:ff9b::/96", "64:ff9b::8.8.8.8", true},
		{"64:ff9b::/96", "64:ff9b::169.254.169.254", false},
		{"64:ff9b:1::/48", "64:ff9b:1:808:8:800::", true},
		// Bits 64 to 71 must be zero, and other lengths mean nothing.
		{"2a00:db8:122:344::/64", "2a00:db8:122:344:108:808:800::", false},
		{"2a00:db8::/33", "2a00:db8:808:808::", false},
		{"2a00::/16", "2a00:808:808::", false},
		{"8.8.0.0/16", "8.8.8.8", false},
		{"8.8.8.8/32", "8.8.8.8", false},
		// Outside of the network it is an address as any other.
		{"2a00:db8::/32", "2a00:db9:a00:1::", true},
		{"64:ff9b::/96", "64:ff9b:1::8.8.8.8", false},
		// Of networks within one another, all must agree.
		{"2a00:db8::/32 2a00:db8:808:808::/96", "2a00:db8:808:808::10.0.0.1", false},
		{"2a00:db8::/32 2a00:db8:808:808::/96", "2a00:db8:808:808::8.8.8.8", true},
	} {
		e := &Egress{NAT64: prefixes(strings.Fields(tt.nat64)...)}
		if err := e.CheckAddr(netip.MustParseAddr(tt.addr)); (err == nil) != tt.want {
			t.Errorf("NAT64 %s, %s: %v, want allowed %t", tt.nat64, tt.addr, err, tt.want)
		}
	}
	e := &Egress{NAT64: prefixes("64:ff9b::/96"), AllowPrivate: prefixes("10.0.0.0/8"), AllowLoopback: true}
	for addr, want := range map[string]bool{"64:ff9b::10.0.0.1": true, "64:ff9b::127.0.0.1": true, "64:ff9b::192.168.0.1": false, "64:ff9b::100.100.100.200": false} {
		if err := e.CheckAddr(netip.MustParseAddr(addr)); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %t", addr, err, want)
		}
	}
}

func TestOnlyAPrefixOfOneAddressNamesAMetadataService(t *testing.T) {
	for a := range metadata {
		everything := &Egress{AllowLoopback: true, AllowPrivate: prefixes("0.0.0.0/0", "::/0")}
		neighbours := &Egress{AllowPrivate: []netip.Prefix{netip.PrefixFrom(a, a.BitLen()-1)}}
		for _, e := range []*Egress{new(Egress), Public(), Operator(), everything, neighbours} {
			if err := e.CheckAddr(a); err == nil {
				t.Errorf("%v is allowed under %+v", a, e)
			}
		}
		alone := &Egress{AllowPrivate: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}
		if err := alone.CheckAddr(a); err != nil {
			t.Error(err)
		}
		if a.Is4() {
			mapped := netip.AddrFrom16(a.As16())
			alone.AllowPrivate[0] = netip.PrefixFrom(mapped, 128)
			if errors.Join(alone.CheckAddr(a), alone.CheckAddr(mapped)) != nil {
				t.Errorf("%v does not name %v", alone.AllowPrivate, a)
			}
		}
	}
}

// BenchmarkCheck compares what the guard adds to a request, CheckURL for each and CheckAddr for each connection, with
// parsing the URL.
func BenchmarkCheck(b *testing.B) {
	const text, round = "https://mcp.example.com:8443/mcp", 1000
	e, u, a := Operator(), (*url.URL)(nil), netip.MustParseAddr("2606:4700::1111")
	var parse, check time.Duration
	for b.Loop() {
		start := time.Now()
		for range round {
			u, _ = url.Parse(text)
		}
		parsed := time.Now()
		for range round {
			if e.CheckURL(u) != nil || e.CheckAddr(a) != nil {
				b.Fatal("refused")
			}
		}
		parse, check = parse+parsed.Sub(start), check+time.Since(parsed)
	}
	b.ReportMetric(float64(check)/float64(parse), "check/parse")
	b.ReportMetric(float64(check.Nanoseconds())/float64(b.N*round), "ns/check")
}
