package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// The twin of CheckAddr: the IANA registries as they stand, with package net and a linear search. It shares neither code
// nor tables with the guard.
var registry = []string{
	// IANA IPv4 Special-Purpose Address Registry, 2025-10-09, and the multicast space.
	"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
	// IANA IPv6 Special-Purpose Address Registry, 2025-10-09, without ::ffff:0:0/96, which is IPv4 here.
	"::1/128", "::/128", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128",
	"2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28",
	"2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
	// IANA Internet Protocol Version 6 Address Space: all but 2000::/3.
	"::/3", "4000::/2", "8000::/1",
}

var twinMetadata = []string{
	"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "169.254.0.23/32", "169.254.42.42/32", "168.63.129.16/32",
	"100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128",
	"fd00:42::42/128", "fe80::a9fe:a9fe/128", "fd00:100::100:200/128", "fd00:a9fe:a9fe::1/128",
}

func anyOf(nets []string, ip net.IP) bool {
	for _, s := range nets {
		_, n, err := net.ParseCIDR(s)
		if err != nil {
			panic(err)
		}
		if n.Contains(ip) && (ip.To4() != nil) == (len(n.IP) == net.IPv4len) {
			return true
		}
	}
	return false
}

// twinV4 returns the IPv4 addresses that ip may stand for.
func twinV4(ip net.IP, nat64 []string) (v4 []net.IP) {
	if ip.To4() != nil {
		return nil
	}
	tail := net.IPv4(ip[12], ip[13], ip[14], ip[15])
	if anyOf([]string{"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"}, ip) {
		v4 = append(v4, tail)
	}
	if anyOf([]string{"2002::/16"}, ip) {
		v4 = append(v4, net.IPv4(ip[2], ip[3], ip[4], ip[5]))
	}
	if twinISATAP(ip) {
		v4 = append(v4, tail)
	}
	if anyOf([]string{"64:ff9b:1::/48"}, ip) && ip[8] == 0 {
		v4 = append(v4, net.IPv4(ip[6], ip[7], ip[9], ip[10]), net.IPv4(ip[7], ip[9], ip[10], ip[11]), net.IPv4(ip[9], ip[10], ip[11], ip[12]))
	}
	return append(v4, twinNAT64(ip, nat64)...)
}

// twinISATAP knows the first half of the interface identifiers of RFC 5214 section 6.1, with every u and g bit.
func twinISATAP(ip net.IP) bool {
	return len(ip) == net.IPv6len && ip.To4() == nil &&
		slices.Contains([]string{"00005efe", "01005efe", "02005efe", "03005efe"}, hex.EncodeToString(ip[8:12]))
}

// twinNAT64 decodes the networks that twinPolicies use.
func twinNAT64(ip net.IP, nat64 []string) (v4 []net.IP) {
	for _, n := range nat64 {
		switch {
		case !anyOf([]string{n}, ip):
		case strings.HasSuffix(n, "/96"):
			v4 = append(v4, net.IPv4(ip[12], ip[13], ip[14], ip[15]))
		case strings.HasSuffix(n, "/40"):
			v4 = append(v4, net.IPv4(ip[5], ip[6], ip[7], ip[9]))
		default:
			panic(n)
		}
	}
	return v4
}

type twinPolicy struct {
	loopback     bool
	allow, nat64 []string
}

var twinPolicies = []twinPolicy{
	{},
	{loopback: true},
	{loopback: true, allow: []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}},
	{allow: []string{"0.0.0.0/0", "::/0"}},
	{allow: []string{"169.254.169.254/32", "fd00:ec2::254/128", "127.0.0.1/32"}},
	{nat64: []string{"64:ff9b::/96", "2a00:64::/40"}},
	{loopback: true, allow: []string{"10.0.0.0/8", "64:ff9b::/96"}, nat64: []string{"64:ff9b::/96", "2a00:64::/40"}},
}

func (p twinPolicy) egress() *Egress {
	return &Egress{AllowLoopback: p.loopback, AllowPrivate: prefixes(p.allow...), NAT64: prefixes(p.nat64...)}
}

// allows is the twin of CheckAddr.
func (p twinPolicy) allows(ip net.IP) bool {
	alone := func(s string) bool {
		return strings.HasSuffix(s, "/32") && !strings.Contains(s, ":") || strings.HasSuffix(s, "/128")
	}
	service := anyOf(twinMetadata, ip)
	for _, v4 := range twinV4(ip, p.nat64) {
		// RFC 6052 section 2.2: bits 64 to 71 are zero.
		if anyOf([]string{"2a00:64::/40"}, ip) && ip[8] != 0 {
			continue
		}
		service = service || anyOf(twinMetadata, v4)
	}
	for _, s := range p.allow {
		if anyOf([]string{s}, ip) && (!service || alone(s)) {
			return true
		}
	}
	switch decoded := twinNAT64(ip, p.nat64); {
	case service:
		return false
	case len(decoded) > 0:
		if anyOf([]string{"2a00:64::/40"}, ip) && ip[8] != 0 {
			return false
		}
		return !slices.ContainsFunc(decoded, func(v4 net.IP) bool { return !p.allows(v4) })
	case anyOf([]string{"127.0.0.0/8", "::1/128"}, ip):
		return p.loopback
	}
	return !anyOf(registry, ip) && !twinISATAP(ip)
}

func compare(t *testing.T, ip net.IP) {
	t.Helper()
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		t.Fatalf("%v is no address", ip)
	}
	for i, p := range twinPolicies {
		if err := p.egress().CheckAddr(a); (err == nil) != p.allows(ip) {
			t.Errorf("policy %d %+v, %v: %v, and the twin says %t", i, p, a, err, p.allows(ip))
		}
	}
}

// blocks are all networks that any verdict depends on.
var blocks = slices.Concat(registry, twinMetadata, []string{"::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "fec0::/10", "ff00::/8", "2a00:64::/40",
	"2000::/3", "::ffff:127.0.0.0/104", "64:ff9b::a00:0/104", "64:ff9b::7f00:0/104", "2a00:64:a::/48", "2a00:64:7f::/48", "64:ff9b::a9fe:a9fe/128",
	"2002:a9fe:a9fe::/48", "2a00:64:a9:fea9:fe::/72", "64:ff9b:1:a9fe:a9:fe00::/96", "64:ff9b:1:a9:fe:a9fe::/96",
	"::a9fe:a9fe/128", "::ffff:0:a9fe:a9fe/128", "64:ff9b:1:0:a9:fea9:fe00:0/112", "64:ff9b:1::a9fe:a9fe/128",
	"2a00:1450:4001::5efe:0:0/96", "2a00:1450:4001:0:200:5efe::/96", "2a00:1450:4001:0:300:5efe::/96", "fd00::5efe:a9fe:a9fe/128", "2a00:1450::5efe:7f00:1/128"})

func TestCheckAddrAgreesWithItsTwinAtEveryEdge(t *testing.T) {
	step := func(ip net.IP, by int) net.IP {
		ip = slices.Clone(ip)
		for i := len(ip) - 1; i >= 0; i-- {
			ip[i] += byte(by)
			if by > 0 && ip[i] != 0 || by < 0 && ip[i] != 255 {
				break
			}
		}
		return ip
	}
	for _, s := range blocks {
		first, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s, ":") {
			first = first.To4()
		}
		last := slices.Clone(first)
		for i := range last {
			last[i] |= ^n.Mask[i]
		}
		for _, ip := range []net.IP{first, last, step(first, -1), step(first, 1), step(last, -1), step(last, 1)} {
			compare(t, ip)
			if len(ip) == 4 {
				compare(t, ip.To16()) // the same as ::ffff:a.b.c.d
			}
		}
	}
}

// FuzzCheckAddr compares CheckAddr with its twin, mostly within and around the blocks that matter.
func FuzzCheckAddr(f *testing.F) {
	for i := range blocks {
		f.Add(uint16(i), []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, block uint16, b []byte) {
		if len(b) != 4 && len(b) != 16 {
			return
		}
		ip := net.IP(slices.Clone(b))
		if int(block) < len(blocks) {
			_, n, _ := net.ParseCIDR(blocks[block])
			if len(n.IP) == len(ip) {
				for i := range ip {
					ip[i] = n.IP[i] | ip[i]&^n.Mask[i]
				}
			}
		}
		compare(t, ip)
	})
}

// inetAton reads s as the C function of this name does: one to four numbers, decimal, octal or hexadecimal.
func inetAton(s string) (net.IP, bool) {
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(parts) > 4 {
		return nil, false
	}
	var sum uint64
	for i, p := range parts {
		base := 10
		if len(p) > 1 && p[0] == '0' {
			if base = 8; p[1]|0x20 == 'x' {
				base, p = 16, p[2:]
			}
		}
		n, err := strconv.ParseUint(p, base, 32)
		last := i == len(parts)-1
		if err != nil || !last && n > 255 || last && n >= 1<<(8*(5-len(parts))) {
			return nil, false
		}
		if last {
			sum |= n
		} else {
			sum |= n << (24 - 8*i)
		}
	}
	return net.IPv4(byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)), true
}

// FuzzCheckURL has CheckURL read what anybody may write. What it allows must be what it says, and what it says must hold
// nothing of a URL but its host.
func FuzzCheckURL(f *testing.F) {
	for _, v := range urlVectors {
		for s := range strings.FieldsSeq(v.urls) {
			f.Add(s)
		}
	}
	for _, s := range []string{"https://u:p@mcp.example/?q", "\x00", "https://[::1%25a]:1/", "https://[fc00::1%25a]/", "SECRET@x", "a/SECRET", "[::1]SECRET", "x%SECRET", "SECRET:SECRET@h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		// The same text as a whole URL and as its host alone: programs make URLs of parts too.
		parsed, err := url.Parse(s)
		if err != nil {
			parsed = nil
		}
		for _, u := range []*url.URL{parsed, {Scheme: "https", Host: s}, {Scheme: "https", Host: s, Opaque: "x"}, {Scheme: s, Host: "mcp.example"}} {
			if u == nil {
				continue
			}
			for _, e := range []*Egress{new(Egress), Public(), Operator()} {
				if err := e.CheckURL(u); err != nil {
					mustBeEgressError(t, err)
					continue
				}
				scheme, host := u.Scheme, u.Hostname()
				if scheme != "https" && (scheme != "http" || e.HTTPSOnly) || u.User != nil || host == "" || strings.ContainsAny(u.Host, "@/\\?#\x00\r\n ") {
					t.Errorf("%q is allowed", u)
				}
				if a, err := netip.ParseAddr(host); err == nil {
					if e.CheckAddr(a) != nil || a.Zone() != "" {
						t.Errorf("%q is allowed, and its address is not", u)
					}
				} else if ip, ok := inetAton(host); ok {
					t.Errorf("%q is allowed, and some take it for %v", u, ip)
				}
			}
			full := *u
			full.User, full.Path, full.RawQuery, full.Fragment = url.UserPassword("HIDDEN", "HIDDEN"), "/HIDDEN", "HIDDEN", "HIDDEN"
			if err := Operator().CheckURL(&full); err == nil {
				t.Errorf("%q is allowed", &full)
			} else if strings.Contains(err.Error(), "HIDDEN") && !strings.Contains(s, "HIDDEN") {
				t.Errorf("the error shows more than the host: %v", err)
			}
		}
	})
}

func mustBeEgressError(t *testing.T, err error) {
	t.Helper()
	var refused *EgressError
	if !errors.As(err, &refused) || refused.Reason == "" || !strings.HasPrefix(err.Error(), "auth: egress") {
		t.Errorf("%#v is no complete EgressError", err)
	}
	for _, r := range err.Error() {
		if !unicode.IsPrint(r) {
			t.Errorf("%q has a character that must not be printed", err.Error())
		}
	}
	if strings.ContainsAny(refused.Host, `@/\?#`) {
		t.Errorf("Host %q is no host", refused.Host)
	}
}

// staysForeign claims that a label with such a letter never becomes ASCII. What net/http dials is the judge.
func TestLettersThatStayForeignAreSentAsPunycode(t *testing.T) {
	dialed := ""
	tr := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialed, _, _ = strings.Cut(address, ".example:")
		return nil, errDialed
	}}
	checked, ascii := 0, 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) && !unicode.IsSymbol(r) && !unicode.IsPunct(r) && !unicode.Is(unicode.Cf, r) {
			continue
		}
		// Ideographs and syllables map to themselves; one in 97 will do.
		if (unicode.Is(unicode.Han, r) && !(0xF900 <= r && r <= 0xFAFF) || unicode.Is(unicode.Hangul, r) && r >= 0xAC00 && r <= 0xD7A3) && r%97 != 0 {
			continue
		}
		checked++
		tr.RoundTrip(&http.Request{URL: &url.URL{Scheme: "http", Host: string(r) + ".example"}, Header: http.Header{}})
		if strings.HasPrefix(dialed, "xn--") || strings.ContainsFunc(dialed, func(r rune) bool { return r > unicode.MaxASCII }) {
			continue
		}
		ascii++
		if staysForeign(r) {
			t.Errorf("%U %c becomes %q", r, r, dialed)
		}
		if err := Operator().CheckURL(&url.URL{Scheme: "https", Host: string(r) + ".example"}); err == nil {
			t.Errorf("%U %c is allowed and becomes %q", r, r, dialed)
		}
	}
	t.Logf("%d characters, of which %d become ASCII", checked, ascii)
	if ascii < 1000 {
		t.Errorf("%d characters became ASCII, want more than 1000: does this test look where it should?", ascii)
	}
}
