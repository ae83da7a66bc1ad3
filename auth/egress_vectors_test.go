package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// The policies that vectors are judged by, in the order of their verdicts.
func policies() []struct {
	name string
	e    *Egress
} {
	private := &Egress{AllowPrivate: prefixes("10.20.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "192.168.7.7/32", "fd00::/8", "fe80::/10",
		"64:ff9b::/96", "169.254.170.2/32", "::ffff:172.31.0.0/112")}
	return []struct {
		name string
		e    *Egress
	}{{"zero", new(Egress)}, {"Public", Public()}, {"Operator", Operator()}, {"AllowPrivate", private}}
}

// Verdicts on addresses: + allows, - refuses. Each is tried as an address, as a literal in http and https URLs, and as
// what a name resolves to.
var addrVectors = []struct{ want, addrs string }{
	{"++++", `8.8.8.8 1.1.1.1 93.184.216.34 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
		169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.31.195.255 192.88.98.255
		192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.112.255 203.0.114.0 223.255.255.255
		168.63.129.15 168.63.129.17`},
	{"++++", `::ffff:8.8.8.8 ::ffff:1.1.1.1`},
	{"++++", `2606:4700::1111 2001:4860:4860::8888 2a00:1450:4001::200e 2001:200:: 2001:db7:ffff::1 2001:db9::1 2003::1 2000::1
		2620:4f:7fff::1 2620:4f:8001::1 3ffe:ffff::1 3fff:1000::1`},
	// This host, loopback.
	{"----", `0.0.0.0 0.0.0.1 0.255.255.255 ::`},
	{"--+-", `127.0.0.1 127.0.0.2 127.255.255.255 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1`},
	// Private.
	{"--+-", `10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.20.10.2 192.168.0.1 192.168.7.6 192.168.7.8 192.168.255.255
		::ffff:10.0.0.1 ::ffff:192.168.1.1 fc00::1 fcff:ffff::1`},
	{"--++", `10.20.0.0 10.20.30.40 10.20.255.255 192.168.7.7 172.31.0.1 172.31.255.255 ::ffff:10.20.0.1 ::ffff:192.168.7.7 fd00::1
		fd12:3456:789a::1 fdff:ffff::1`},
	{"---+", `100.64.0.0 100.64.0.1 100.127.255.255 169.254.0.1 169.254.255.255 169.254.169.253 ::ffff:169.254.1.1 fe80::1 febf:ffff::1`},
	// Metadata services, which a broad network does not open.
	{"----", `169.254.169.254 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe 169.254.170.23 169.254.42.42 169.254.0.23 100.100.100.200
		192.0.0.192 168.63.129.16 ::ffff:168.63.129.16 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fd00:c1::a9fe:a9fe
		fd00:100::100:200 fd00:a9fe:a9fe::1 fd00::5efe:a9fe:a9fe
		fe80::a9fe:a9fe 64:ff9b::169.254.169.254 64:ff9b::168.63.129.16 ::169.254.169.254 ::ffff:0:169.254.169.254 2002:a9fe:a9fe::1`},
	{"---+", `169.254.170.2 ::ffff:169.254.170.2`},
	// The rest of the IPv4 registry.
	{"----", `192.0.0.0 192.0.0.8 192.0.0.9 192.0.0.10 192.0.0.170 192.0.0.255 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1
		192.88.99.2 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 254.1.2.3
		255.255.255.254 255.255.255.255`},
	// The rest of IPv6.
	{"----", `::2 ::127.0.0.1 ::8.8.8.8 ::7f00:1 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b:1::1 64:ff9b:1::127.0.0.1
		64:ff9b:1:ffff::8.8.8.8 100::1 100:0:0:1::1 100:0:0:2::1 200::1 400::1 1000::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
		2001:1::1 2001:1::3 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff:ffff::1 2001:db8::1
		2001:db8:ffff::1 2002::1 2002:7f00:1:: 2002:808:808::1 2620:4f:8000::1 3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 8000::1
		2606:4700::5efe:7f00:1 2606:4700::200:5efe:a00:1 2001:470:1f0b::5efe:c0a8:101 2a00:1450::5efe:808:808 2a00:1450::300:5efe:1.1.1.1
		a000::1 e000::1 fbff::1 fe00::1 fec0::1 feff::1 ff00::1 ff02::1 ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff`},
	{"---+", `64:ff9b::127.0.0.1 64:ff9b::8.8.8.8`},
}

// Verdicts on URLs. Without dns, every name resolves to a public address: what is refused, the URL itself gives away.
var urlVectors = []struct{ want, urls, dns string }{
	{"++++", `https://mcp.example/ https://mcp.example:8443/mcp?x=1 HTTPS://MCP.EXAMPLE/ https://mcp.example./ https://a-b.c_d.example/
		https://xn--bcher-kva.example/ https://bücher.example/ https://b%C3%BCcher.example/ https://例え.example/ https://пример.example/
		https://straße.example/ https://中文.中国/ https://1.2.3.example/ https://127.0.0.1.nip.example/ https://0x7f.1.example/
		https://1password.example/ https://localhost.example/ https://notlocalhost/ https://mcp.example:65535/ https://mcp.example:/
		https://8.8.8.8/ https://8.8.8.8:8443/ https://[2606:4700::1111]/ https://[2606:4700::1111]:8443/ https://[::ffff:8.8.8.8]/
		https://cafe/ https://` + strings.Repeat("a", 63) + `.example/ https://0xyz.example/ https://mcp.example/http://127.0.0.1/ https://mcp.example/?u=http://127.0.0.1/@
		https://mcp.example/@127.0.0.1/ https://mcp.example/#@127.0.0.1 https://mcp.example/%2f%2e%2e https://עברית.example/
		https://l·l.example/ https://col·lecció.example/ https://日本語・テスト.example/ https://צ׳.example/ https://☃.example/ https://💩.example/ https://i❤️.example/
		https://मुंबई१.example/ https://مصر٢.example/ https://ไทย๒.example/ https://نامه%E2%80%8Cای.example/ https://metadata.example.com/ https://1.example.com/
		https://10.example.com/ https://3com.com/ https://0x.example.org/ https://localhost.example.com/ https://notlocalhost.com/ https://1e100.net/`, ""},
	{"+-++", `http://mcp.example/ http://mcp.example:8080/ HTTP://mcp.example/ http://8.8.8.8/ http://[2606:4700::1111]/
		http://bücher.example/ http://mcp.example:443/`, ""},
	// Schemes, and what is no host.
	{"----", `file:///etc/passwd ftp://mcp.example/ gopher://127.0.0.1:6379/_INFO javascript:alert(1) data:text/plain,x ws://mcp.example/
		unix:///var/run/docker.sock dict://mcp.example/ ldap://mcp.example/ //mcp.example/ mcp.example /path https:mcp.example
		https:127.0.0.1 https:/mcp.example https:///mcp.example https:// https://:443/ https://./ https://../ https://a..example/
		https://.example/ https://mcp.example../ https://?x https://#x`, ""},
	// A user, and what looks like one.
	{"----", `https://user@mcp.example/ https://user:pass@mcp.example/ https://@mcp.example/ https://:@mcp.example/
		https://mcp.example@127.0.0.1/ https://127.0.0.1@mcp.example/ https://mcp.example%2f@127.0.0.1/ https://127.0.0.1%2f@mcp.example/
		https://mcp.example%40127.0.0.1/ https://mcp.example%3a80@127.0.0.1/ https://mcp.example%23@127.0.0.1/ https://a@b@mcp.example/
		https://mcp.example\@127.0.0.1/ https://mcp.example%5c@127.0.0.1/ https://127.0.0.1\.mcp.example/ https://mcp.example:80@127.0.0.1/
		https://mcp.example&@127.0.0.1/`, ""},
	// Escapes and characters that hosts do not have.
	{"----", `https://%31%32%37.0.0.1/ https://127%2e0%2e0%2e1/ https://mcp%2eexample/ https://mcp.example%00/ https://mcp.example%0d%0a/
		https://mcp.example%09/ https://mcp.example%20/ https://mcp.example%7f/ https://mcp!example/ https://mcp.example;x/
		https://mcp,example/ https://mcp*example/ https://[mcp.example]/ https://mcp.example]/ https://[::1/ https://::1/
		https://2606:4700::1111/ https://mcp.example%ff/ https://%ef%bf%bd.example/`, ""},
	// Numbers that inet_aton takes for an address.
	{"----", `https://0177.0.0.1/ https://0x7f000001/ https://0X7F000001/ https://2130706433/ https://127.1/ https://127.0.1/ https://0/
		https://0x7f.0.0.1/ https://0x7f.1/ https://017700000001/ https://127.0.0.01/ https://127.0.0.0x1/ https://0300.0250.0.1/
		https://3232235777/ https://0xa9fea9fe/ https://2852039166/ https://0251.0376.0251.0376/ https://0x/ https://127.0.0.1./
		https://127.1./ https://8.8.8.8./ https://08.8.8.8/ https://134744072/ https://1.2.3.4.5/ https://256.256.256.256/
		https://127.0.0.1.0x/ https://00000000000000000000000000000000000177.1/ https://4294967297/ https://mcp.example.1/`, ""},
	// Digits, dots and letters that become ASCII.
	{"----", `https://①②⑦.0.0.1/ https://127。0。0。1/ https://127．0．0．1/ https://127｡0｡0｡1/ https://１２７.0.0.1/ https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/
		https://¹²⁷.0.0.1/ https://𝟏𝟐𝟕.0.0.1/ https://⑯⑨｡②⑤④｡⑯⑨｡②⑤④/ https://⓵27.0.0.1/ https://٢.0.0.1/ https://₁27.1/ https://0ｘ7f000001/
		https://ｌｏｃａｌｈｏｓｔ/ https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/ https://𝐥𝐨𝐜𝐚𝐥𝐡𝐨𝐬𝐭/ https://localhoﬆ/ https://localhoſt/ https://ʟocalhost/ https://loc%C2%ADalhost/
		https://local%E2%80%8Bhost/ https://local%EF%B8%8Fhost/ https://local%CD%8Fhost/ https://local%E3%85%A4host/ https://mcp。example/
		https://mcp.example∕x/ https://mcp.example／x/ https://mcp.example％2f/ https://mcp.example＠127.0.0.1/ https://mcp.example：80/
		https://mcp.℀example/ https://mcp⒈example/ https://ü①.example/ https://ü。1/ https://ü．0x7f000001/ https://é%E2%81%A0.example/
		https://١٢٧.٠.٠.١/ https://१२७.०.०.१/ https://local%E2%80%8Dhost/ https://127%E2%80%8C.0.0.1/ https://❷.example/ https://é①.1/`, ""},
	// Names of the host itself.
	{"--+-", `https://localhost/ https://LOCALHOST/ https://localhost./ https://localhost:8443/ https://foo.localhost/ https://a.b.LocalHost./
		https://localhost.localdomain/ https://ip6-localhost/ https://ip6-loopback/ https://localhost6/ http://localhost/ https://localhost6.localdomain6/
		https://localhost4/ https://localhost4.localdomain4/ https://loopback/`, ""},
	// A named address (169.254.170.2) opens the names too; what they resolve to is judged then.
	{"---+", `https://metadata.google.internal/ http://METADATA.google.internal./computeMetadata/v1/ https://metadata.goog/ http://metadata.tencentyun.com/`, ""},
	// In a private network these are names as any other.
	{"--++", `http://metadata/computeMetadata/v1/ https://instance-data/`, ""},
	{"----", `https://metadata.google.internal/ http://metadata.goog/ https://instance-data.ec2.internal/`, "* 169.254.169.254"},
	// Ports.
	{"----", `https://mcp.example:0/ https://mcp.example:00/ https://mcp.example:65536/ https://mcp.example:99999999999999999999/
		https://mcp.example:-1/ https://mcp.example:+80/ https://mcp.example:80a/ https://mcp.example:80:80/ https://mcp.example:%34/
		https://` + strings.Repeat("a", 64) + `.example/ https://` + strings.Repeat("a.", 124) + `example/ https://[2606:4700::1111]:0/ https://[2606:4700::1111]x/ https://mcp.example:８０/`, ""},
	// Zones.
	{"----", `https://[2606:4700::1111%25eth0]/ https://[::1%25lo]/ https://[fc00::1%25eth0]/ https://[fd00::1%25eth0]/ https://[::ffff:127.0.0.1%25lo]/ https://[ff02::1%25eth0]/
		https://[::%25lo]/ https://[2001:db8::1%25]/ https://[fe80::a9fe:a9fe%25eth0]/`, ""},
	{"---+", `https://[fe80::1%25eth0]/ http://[fe80::1%25eth0]:8080/`, ""},
	// What names resolve to.
	{"----", `https://mcp.example/ http://mcp.example/ https://bücher.example/ https://127.0.0.1.nip.example/`, "* 169.254.169.254"},
	{"--+-", `https://mcp.example/ http://mcp.example/ https://127.0.0.1.nip.example/ https://mcp.example./`, "* 127.0.0.1"},
	{"--++", `https://mcp.example/ http://mcp.example:9/`, "* 10.20.0.1"},
	{"----", `https://mcp.example/`, "* ::ffff:0:10.20.0.1 0.0.0.0 255.255.255.255"},
	{"++++", `https://mcp.example/`, "* 10.20.0.1 127.0.0.1 2606:4700::1111"},
	{"----", `https://mcp.example/`, "*"},
}

var errDialed = errors.New("dialed")

// tracked returns a copy of e that resolves every name to addrs and reports what it would connect to.
func tracked(e *Egress, dialed *[]netip.AddrPort, addrs ...netip.Addr) *Egress {
	e = e.clone()
	e.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) { return addrs, nil }
	e.Dial = func(_ context.Context, _ string, a netip.AddrPort) (net.Conn, error) {
		*dialed = append(*dialed, a)
		return nil, errDialed
	}
	return e
}

// wants returns the verdict of want for an URL under policy i.
func wants(want string, i int, url string) bool {
	plain := len(url) > 5 && strings.EqualFold(url[:5], "http:")
	return want[i] == '+' && !(i == 1 && plain)
}

// judge requests rawURL of e's client and of a plain one around its transport, and fails unless both do as they should.
func judge(t *testing.T, e *Egress, rawURL string, want bool, addrs ...netip.Addr) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		if want {
			t.Errorf("%s is no URL: %v", rawURL, err)
		}
		return
	}
	var dialed []netip.AddrPort
	e = tracked(e, &dialed, addrs...)
	if want {
		if err := e.CheckURL(u); err != nil {
			t.Errorf("CheckURL(%q) = %v, want nil", rawURL, err)
		}
	}
	for _, c := range []*http.Client{e.Client(), {Transport: e.Transport()}} {
		dialed = dialed[:0]
		_, err := c.Do(&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}})
		var refused *EgressError
		switch {
		case want && len(dialed) == 0:
			t.Errorf("%s was not dialled: %v", rawURL, err)
		case !want && len(dialed) > 0:
			t.Errorf("%s was dialled at %v", rawURL, dialed)
		case !want && !errors.As(err, &refused) && len(addrs) > 0 && u.Host != "" && strings.HasPrefix(u.Scheme, "http"):
			t.Errorf("%s gives %v, want an EgressError", rawURL, err)
		}
		for _, a := range dialed {
			if err := e.CheckAddr(a.Addr()); err != nil || a.Addr().Is4In6() {
				t.Errorf("%s: dialled %v: %v", rawURL, a, err)
			}
		}
	}
}

func TestEveryAddressVectorGetsItsVerdict(t *testing.T) {
	n := 0
	for _, v := range addrVectors {
		for s := range strings.FieldsSeq(v.addrs) {
			n++
			a := netip.MustParseAddr(s)
			literal := s
			if a.Is6() {
				literal = "[" + s + "]"
			}
			for i, p := range policies() {
				t.Run(p.name+"/"+s, func(t *testing.T) {
					want := v.want[i] == '+'
					if err := p.e.CheckAddr(a); (err == nil) != want {
						t.Errorf("CheckAddr = %v, want allowed %t", err, want)
					}
					if err := p.e.Control("tcp", netip.AddrPortFrom(a, 443).String(), nil); (err == nil) != want {
						t.Errorf("Control = %v, want allowed %t", err, want)
					}
					u := &url.URL{Scheme: "https", Host: literal}
					if err := p.e.CheckURL(u); (err == nil) != want {
						t.Errorf("CheckURL = %v, want allowed %t", err, want)
					}
					for _, scheme := range []string{"https://", "http://"} {
						judge(t, p.e, scheme+literal+"/", wants(v.want, i, scheme))
						judge(t, p.e, scheme+"mcp.example/", wants(v.want, i, scheme), a)
					}
				})
			}
		}
	}
	if n < 150 {
		t.Errorf("%d vectors, want at least 150", n)
	}
}

func TestEveryURLVectorGetsItsVerdict(t *testing.T) {
	n := 0
	for _, v := range urlVectors {
		addrs := []netip.Addr{netip.MustParseAddr("93.184.216.34")}
		if v.dns != "" {
			addrs = nil
			for s := range strings.FieldsSeq(v.dns[1:]) {
				addrs = append(addrs, netip.MustParseAddr(s))
			}
		}
		for s := range strings.FieldsSeq(v.urls) {
			n++
			for i, p := range policies() {
				t.Run(p.name+"/"+url.PathEscape(s)+v.dns, func(t *testing.T) {
					judge(t, p.e, s, wants(v.want, i, s), addrs...)
					if u, err := url.Parse(s); err == nil && v.dns == "" && !wants(v.want, i, s) && p.e.CheckURL(u) == nil {
						t.Errorf("CheckURL leaves %s to the dial", s)
					}
				})
			}
		}
	}
	if n < 150 {
		t.Errorf("%d vectors, want at least 150", n)
	}
}
