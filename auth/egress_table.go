package auth

import "net/netip"

// A block is a network with one use.
type block struct {
	net  netip.Prefix
	kind string // completes "it is ..."
}

// Every block of the IANA IPv4 Special-Purpose Address Registry (as of 2025-10-09), also those that it calls globally
// reachable: they belong to anycast services of the network itself, no place for a server. Blocks within others are left
// out. Multicast has a registry of its own.
var special4 = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), "an address of this host (RFC 1122)"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a shared address of carrier-grade NAT (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address (RFC 3927)"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), "an address of the IETF's protocols (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), "an address for documentation (RFC 5737)"},
	{netip.MustParsePrefix("192.31.196.0/24"), "an address of AS112 (RFC 7535)"},
	{netip.MustParsePrefix("192.52.193.0/24"), "an address of AMT relays (RFC 7450)"},
	{netip.MustParsePrefix("192.88.99.0/24"), "an address of 6to4 relays (RFC 7526)"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address (RFC 1918)"},
	{netip.MustParsePrefix("192.175.48.0/24"), "an address of AS112 (RFC 7534)"},
	{netip.MustParsePrefix("198.18.0.0/15"), "an address for benchmarks (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), "an address for documentation (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), "an address for documentation (RFC 5737)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved or broadcast address (RFC 1112, RFC 919)"},
}

// global6 is all of IPv6 that is assigned for global unicast (RFC 4291 section 2.4). What lies outside is refused even
// where nothing is known about it.
var global6 = netip.MustParsePrefix("2000::/3")

// The blocks of the IANA IPv6 Special-Purpose Address Registry (as of 2025-10-09) within global6.
var special6 = []block{
	// Teredo, ORCHID and others, a few of which are global; but no server has an address in those.
	{netip.MustParsePrefix("2001::/23"), "an address of the IETF's protocols (RFC 2928)"},
	{netip.MustParsePrefix("2001:db8::/32"), "an address for documentation (RFC 3849)"},
	{netip.MustParsePrefix("2002::/16"), "an IPv4 address in 6to4 (RFC 3056)"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "an address of AS112 (RFC 7534)"},
	{netip.MustParsePrefix("3fff::/20"), "an address for documentation (RFC 9637)"},
}

// Blocks outside global6 that have a name, for the error.
var outside6 = []block{
	{netip.MustParsePrefix("::/128"), "an address of this host (RFC 4291)"},
	{netip.MustParsePrefix("::/96"), "an IPv4 address in IPv6 (RFC 4291)"},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), "an IPv4 address in IPv6 (RFC 2765)"},
	{netip.MustParsePrefix("64:ff9b::/96"), "an IPv4 address behind NAT64 (RFC 6052), see Egress.NAT64"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "an IPv4 address behind NAT64 (RFC 8215), see Egress.NAT64"},
	{netip.MustParsePrefix("5f00::/16"), "a segment of SRv6 (RFC 9602)"},
	{netip.MustParsePrefix("fc00::/7"), "a private address (RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address (RFC 4291)"},
	{netip.MustParsePrefix("fec0::/10"), "a site-local address (RFC 3879)"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
}

// Services that give the credentials of the machine, or of what runs on it, to whoever asks. They have addresses that
// no network shares, and some lie in private networks that an operator allows as a whole.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"):    true, // Amazon, Google, Azure, OpenStack and others
	netip.MustParseAddr("169.254.170.2"):      true, // Amazon ECS
	netip.MustParseAddr("169.254.170.23"):     true, // Amazon EKS
	netip.MustParseAddr("169.254.0.23"):       true, // Tencent
	netip.MustParseAddr("169.254.42.42"):      true, // Scaleway
	netip.MustParseAddr("168.63.129.16"):      true, // Azure WireServer: in no special block
	netip.MustParseAddr("100.100.100.200"):    true, // Alibaba
	netip.MustParseAddr("192.0.0.192"):        true, // Oracle
	netip.MustParseAddr("fd00:ec2::254"):      true, // Amazon
	netip.MustParseAddr("fd00:ec2::23"):       true, // Amazon EKS
	netip.MustParseAddr("fd20:ce::254"):       true, // Google
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"): true, // Oracle
	netip.MustParseAddr("fd00:42::42"):        true, // Scaleway
	netip.MustParseAddr("fd00:100::100:200"):  true, // Alibaba
	netip.MustParseAddr("fd00:a9fe:a9fe::1"):  true, // Akamai (Linode)
	netip.MustParseAddr("fe80::a9fe:a9fe"):    true, // OpenStack
}

// Where a known network has IPv4 addresses in its own. Such networks are special and refused as they are; this is for
// who allows one as a whole, and with it the metadata services of IPv4.
var translated = []struct {
	net  netip.Prefix
	bits int // see embedded
}{
	{netip.MustParsePrefix("::/96"), 96},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 96},
	{netip.MustParsePrefix("64:ff9b::/96"), 96},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 48},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 56},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 64},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 96},
	{netip.MustParsePrefix("2002::/16"), 16},
}

func prefixes(nets ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(nets))
	for i, s := range nets {
		p[i] = netip.MustParsePrefix(s)
	}
	return p
}
