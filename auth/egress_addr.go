package auth

import "net/netip"

// CheckAddr returns an [*EgressError] unless connections to a are allowed. It is for addresses that names have resolved
// to; an IPv4 address that is written as IPv6 (::ffff:192.0.2.1) counts as IPv4, and a zone does not count.
func (e *Egress) CheckAddr(a netip.Addr) error {
	return e.checkAddr("", a)
}

// checkAddr is CheckAddr for an address of host.
func (e *Egress) checkAddr(host string, a netip.Addr) error {
	if reason := e.refusesAddr(a); reason != "" {
		return &EgressError{Host: shownHost(host), Addr: a.WithZone(""), Reason: reason}
	}
	return nil
}

// refusesAddr returns why a is refused, or "".
func (e *Egress) refusesAddr(a netip.Addr) string {
	if !a.IsValid() {
		return "it is no address"
	}
	a = a.Unmap().WithZone("")
	if e.isMetadata(a) {
		if named(e.AllowPrivate, a, true) {
			return ""
		}
		return "it is a metadata service of a cloud; Egress.AllowPrivate allows it by a prefix of this address alone"
	}
	if named(e.AllowPrivate, a, false) {
		return ""
	}
	translated := false
	for _, p := range e.NAT64 {
		if !p.Contains(a) {
			continue
		}
		v4, ok := embedded(a, p.Bits())
		if !ok || p.Bits() < 32 {
			return "it is in a network of Egress.NAT64 and not an address of RFC 6052 section 2.2"
		}
		if reason := e.refusesAddr(v4); reason != "" {
			return "it stands for " + v4.String() + ": " + reason
		}
		translated = true // and if networks overlap, all of them must agree
	}
	if translated {
		return ""
	}
	if a.IsLoopback() {
		if e.AllowLoopback {
			return ""
		}
		return "it is a loopback address; Egress.AllowLoopback allows it"
	}
	if kind := special(a); kind != "" {
		return "it is " + kind + "; Egress.AllowPrivate allows it"
	}
	return ""
}

// special returns what kind of address a is, or "" if it is a public one. a is unmapped.
func special(a netip.Addr) string {
	blocks := special4
	if a.Is6() {
		if !global6.Contains(a) {
			for _, b := range outside6 {
				if b.net.Contains(a) {
					return b.kind
				}
			}
			return "not a global unicast address"
		}
		if _, ok := isatap(a); ok {
			return "an IPv4 address in ISATAP (RFC 5214)"
		}
		blocks = special6
	}
	for _, b := range blocks {
		if b.net.Contains(a) {
			return b.kind
		}
	}
	return ""
}

// named reports whether one of nets holds a; only one that holds nothing else, if alone is set.
func named(nets []netip.Prefix, a netip.Addr, alone bool) bool {
	for _, p := range nets {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Contains(a) && (!alone || p.IsSingleIP()) {
			return true
		}
	}
	return false
}

// isMetadata reports whether a is, or stands for, the address of a metadata service.
func (e *Egress) isMetadata(a netip.Addr) bool {
	if metadata[a] {
		return true
	}
	for _, t := range translated {
		if t.net.Contains(a) {
			if v4, ok := embedded(a, t.bits); ok && metadata[v4] {
				return true
			}
		}
	}
	for _, p := range e.NAT64 {
		if p.Contains(a) {
			if v4, ok := embedded(a, p.Bits()); ok && metadata[v4] {
				return true
			}
		}
	}
	v4, ok := isatap(a)
	return ok && metadata[v4]
}

// isatap returns the IPv4 address in an ISATAP address, which any network may have: 5efe in the interface identifier tells
// it (RFC 5214 section 6.1).
func isatap(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	if !a.Is6() || b[8]&^3 != 0 || b[9] != 0 || b[10] != 0x5e || b[11] != 0xfe {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[12:])), true
}

// embedded returns the IPv4 address that follows the first bits of a, as in RFC 6052 section 2.2: around the ninth byte,
// which is zero. With 16 bits that is also where 6to4 has it.
func embedded(a netip.Addr, bits int) (netip.Addr, bool) {
	switch bits {
	case 16, 32, 40, 48, 56, 64, 96:
	default:
		return netip.Addr{}, false
	}
	b := a.As16()
	if bits > 16 && bits < 96 && b[8] != 0 {
		return netip.Addr{}, false
	}
	var v4 [4]byte
	at := bits / 8
	for i := range v4 {
		if at == 8 {
			at++
		}
		v4[i] = b[at]
		at++
	}
	return netip.AddrFrom4(v4), true
}
