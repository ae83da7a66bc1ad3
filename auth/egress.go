package auth

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// An Egress says which addresses requests may go to. It keeps a URL that somebody else wrote (a server's, an
// authorization server's, one in a redirect) from reaching what only this machine can reach: the host itself, its
// network, the credentials service of its cloud.
//
// It looks twice: at the URL, before a name is resolved (CheckURL), and at each address in the step that connects to it
// (Control, Transport, Client). Only the second sees what a name resolves to, and a name may resolve to something else
// every time.
//
//	                              Egress{}   Public()   Operator()   opened by
//	https to a public address     yes        yes        yes
//	http                          yes        no         yes          HTTPSOnly: false
//	127.0.0.0/8, ::1, localhost   no         no         yes          AllowLoopback
//	RFC 1918, fc00::/7            no         no         yes          AllowPrivate
//	other special addresses       no         no         no           AllowPrivate
//	cloud metadata services       no         no         no           AllowPrivate, by a prefix of that address alone
//	IPv4 behind NAT64             no         no         no           NAT64, if the IPv4 address is allowed
//	through a proxy               no         no         no           Proxy
//	user and password in the URL  no         no         no           nothing: credentials go into a header
//
// Public means: in no block of the IANA special-purpose address registries, no multicast or reserved address, and for
// IPv6 in 2000::/3. Special are, beside private addresses, those of link-local, carrier-grade NAT, benchmarking and
// documentation networks, of IPv4 in IPv6 (::/96, 2002::/16, 64:ff9b::/96, ISATAP) and the like.
//
// The zero Egress is ready to use. The methods are safe for concurrent use as long as the fields are not changed;
// Transport and Client copy them.
type Egress struct {
	// HTTPSOnly refuses http.
	HTTPSOnly bool
	// AllowLoopback allows 127.0.0.0/8, ::1 and the names of the host itself, such as localhost.
	AllowLoopback bool
	// AllowPrivate are networks that are allowed whatever they are, such as one's own 10.20.0.0/16. The address of a
	// metadata service is allowed only by a prefix that holds nothing else, such as 169.254.169.254/32.
	AllowPrivate []netip.Prefix
	// NAT64 are networks whose addresses stand for IPv4 addresses (RFC 6052), such as 64:ff9b::/96. An address in one is
	// allowed if the IPv4 address in it is. The length of a prefix must be 32, 40, 48, 56, 64 or 96.
	NAT64 []netip.Prefix
	// Proxy chooses the proxy of a request as [http.Transport.Proxy] does. A proxy resolves names and connects in our
	// place: what is still checked is the URL, with an address that it holds, and not what a name resolves to. The proxy
	// itself may have any address, as it was named here. The default is none; the environment is not asked.
	Proxy func(*http.Request) (*url.URL, error)
	// Resolver resolves names. The default is [net.DefaultResolver].
	Resolver *net.Resolver

	// LookupNetIP resolves names in the place of Resolver; network is "ip". Its answers are tried one after the other.
	// The default is to leave the choice and order of addresses to a [net.Dialer].
	LookupNetIP func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// Dial connects to an address that has just been allowed, or to one of the proxy; network is "tcp". The default is a
	// [net.Dialer]. A test that sets LookupNetIP and Dial sees every connection, and none leaves the process.
	Dial func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error)
}

// Public returns the guard for servers that users of the process add while it runs: https to public addresses.
func Public() *Egress { return &Egress{HTTPSOnly: true} }

// Operator returns the guard for servers that the operator of the process has configured: http as well, the host itself
// and private networks. Link-local addresses and metadata services stay out of reach.
func Operator() *Egress {
	return &Egress{AllowLoopback: true, AllowPrivate: prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")}
}

func (e *Egress) clone() *Egress {
	c := *e
	c.AllowPrivate, c.NAT64 = slices.Clone(e.AllowPrivate), slices.Clone(e.NAT64)
	return &c
}

// An EgressError reports a request, a redirect or a connection that an [Egress] refuses. Nothing was sent. It holds
// neither the path and query of a URL nor a user and password.
type EgressError struct {
	Host   string     // the host of the URL, or what of it can be shown; empty if only an address is known
	Addr   netip.Addr // the address that was refused; invalid if it did not come to that
	Reason string     // what is wrong, and which field of Egress would allow it
}

// Error names the host, the address and the reason.
func (e *EgressError) Error() string {
	s := "auth: egress"
	switch {
	case e.Host != "" && e.Addr.IsValid() && e.Host != e.Addr.String():
		s += fmt.Sprintf(" to %q at %s", e.Host, e.Addr)
	case e.Host != "":
		s += fmt.Sprintf(" to %q", e.Host)
	case e.Addr.IsValid():
		s += " to " + e.Addr.String()
	}
	return s + " refused: " + e.Reason
}

// shownHost returns host if it can be shown. One with a delimiter of URLs in it may be anything, such as a password.
func shownHost(host string) string {
	if len(host) > 255 || strings.ContainsAny(host, `@/\?#`) || strings.Contains(host, "%") && !strings.Contains(host, ":") {
		return ""
	}
	for _, r := range host {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ""
		}
	}
	return host
}
