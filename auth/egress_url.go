package auth

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckURL returns an [*EgressError] unless requests to u are allowed as far as u itself shows: its scheme, that it holds
// no user, how its host and port are written, and the address if its host is one. Names are not resolved: what they
// resolve to is checked when the connection is made.
//
// A host that only some resolvers take for an address is refused in every spelling (0177.0.0.1, 0x7f000001, 127.1,
// ①②⑦.0.0.1), because it depends on the resolver where it leads. A host in letters beyond ASCII is allowed, as are names
// in Punycode and a dot at the end of a name.
func (e *Egress) CheckURL(u *url.URL) error {
	if u == nil {
		return &EgressError{Reason: "there is no URL"}
	}
	host, port, ok := splitHost(u.Host)
	refuse := func(reason string) error { return &EgressError{Host: shownHost(host), Reason: reason} }
	switch {
	case u.Scheme == "http" && e.HTTPSOnly:
		return refuse("http is not encrypted; use https, or set Egress.HTTPSOnly to false")
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("only http and https URLs are allowed")
	case u.Opaque != "":
		return refuse("the URL has no // after its scheme")
	case u.User != nil:
		return refuse("the URL holds a user or password; send credentials in a header")
	case u.Host == "":
		return refuse("the URL has no host")
	case !ok:
		return refuse("the host is not written as RFC 3986 section 3.2.2 has it")
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return refuse("the port is not between 1 and 65535")
		}
	}
	if err := e.checkHost(host); err != nil {
		return err
	}
	return nil
}

// splitHost splits the host of a URL from its port, which is empty if there is none and is not checked. ok is false if
// the host is no host whatever the port.
func splitHost(s string) (host, port string, ok bool) {
	if rest, bracketed := strings.CutPrefix(s, "["); bracketed {
		host, rest, closed := strings.Cut(rest, "]")
		port, colon := strings.CutPrefix(rest, ":")
		a, err := netip.ParseAddr(host)
		return host, port, closed && (colon || rest == "") && err == nil && a.Is6()
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port, host != ""
}

// checkHost checks a host that a URL names: an address or a name.
func (e *Egress) checkHost(host string) *EgressError {
	a, err := netip.ParseAddr(host)
	if err != nil {
		if reason := e.refusesName(strings.TrimSuffix(host, ".")); reason != "" {
			return &EgressError{Host: shownHost(host), Reason: reason}
		}
		return nil
	}
	reason := e.refusesAddr(a)
	if reason == "" && a.Zone() != "" && !a.IsLinkLocalUnicast() {
		reason = "it has a zone, which is for link-local addresses; remove it"
	}
	if reason != "" {
		a = a.WithZone("")
		return &EgressError{Host: a.String(), Addr: a, Reason: reason}
	}
	return nil
}

// refusesName returns why a name is refused, or "".
func (e *Egress) refusesName(name string) string {
	if len(name) > 253 {
		return "the host is longer than 253 bytes (RFC 1035 section 2.3.4)"
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if reason := refusesLabel(label); reason != "" {
			return reason
		}
		last = label
	}
	if numeric(last) {
		return "the host is a number in a form that only some resolvers take for an address; write it as four decimal numbers"
	}
	name, last = strings.ToLower(name), strings.ToLower(last)
	if !e.AllowLoopback && (last == "localhost" || hostNames[name]) {
		return "it names this host (RFC 6761 section 6.3); Egress.AllowLoopback allows it"
	}
	if (metadataNames[name] || len(e.AllowPrivate) == 0 && metadataLabels[name]) && !e.namesMetadata() {
		return "it names a metadata service of a cloud; Egress.AllowPrivate allows it by a prefix of its address alone"
	}
	return ""
}

// Names by which /etc/hosts has the host itself, beside localhost, and names of metadata services. They would be refused
// for their addresses; but behind a proxy, names are all there is.
var (
	hostNames = map[string]bool{
		"localhost.localdomain": true, "localhost4": true, "localhost4.localdomain4": true, "localhost6": true,
		"localhost6.localdomain6": true, "ip6-localhost": true, "ip6-loopback": true, "loopback": true,
	}
	metadataNames = map[string]bool{
		"metadata.google.internal": true, "metadata.goog": true, "instance-data.ec2.internal": true, "metadata.tencentyun.com": true,
	}
	// What a search domain makes the names above of. In a private network it may be a server as any other.
	metadataLabels = map[string]bool{"metadata": true, "instance-data": true}
)

func (e *Egress) namesMetadata() bool {
	for a := range metadata {
		if named(e.AllowPrivate, a, true) {
			return true
		}
	}
	return false
}

// refusesLabel returns why a label of a name is refused, or "".
func refusesLabel(label string) string {
	if label == "" {
		return "the host has an empty label"
	}
	ascii, native := true, false
	for i, r := range label {
		switch {
		case r < utf8.RuneSelf:
			if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
				return "the host has a character that host names do not have"
			}
		case r == utf8.RuneError && !strings.HasPrefix(label[i:], "\uFFFD"):
			return "the host is not valid UTF-8"
		case !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.Is(signs, r) && !besideLetters(r):
			return "the host has a character beyond ASCII that names do not have; write the host in Punycode (xn--)"
		default:
			ascii = false
			native = native || staysForeign(r)
		}
	}
	switch {
	case ascii && len(label) > 63:
		return "the host has a label of more than 63 bytes (RFC 1035 section 2.3.4)"
	case !ascii && !native:
		return "the host has letters beyond ASCII that resolvers may read as ASCII; write the host in Punycode (xn--)"
	}
	return ""
}

// signs are what names may have beside letters: the punctuation of RFC 5892 appendix A.3 to A.7, and pictures, without
// those of numbers.
var signs = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00b7, Hi: 0x00b7, Stride: 1}, {Lo: 0x0375, Hi: 0x0375, Stride: 1}, {Lo: 0x05f3, Hi: 0x05f4, Stride: 1},
		{Lo: 0x2600, Hi: 0x2767, Stride: 1}, {Lo: 0x2794, Hi: 0x27bf, Stride: 1}, {Lo: 0x30fb, Hi: 0x30fb, Stride: 1},
	},
	R32:         []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}},
	LatinOffset: 1,
}

// besideLetters reports whether r is good in a label that has letters of its script: a decimal digit, but for the wide and
// mathematical forms of ASCII's, or a joiner (RFC 5892 appendix A.1 and A.2).
func besideLetters(r rune) bool {
	return unicode.Is(unicode.Nd, r) && r < 0xff00 || r == 0x200c || r == 0x200d
}

// staysForeign reports whether r is a letter or sign beyond ASCII that stays one when a host is prepared for DNS (UTS 46).
// A label with such a one is sent as Punycode: it cannot turn into a number or into localhost, as ｌocalhost would.
func staysForeign(r rune) bool {
	if unicode.Is(signs, r) {
		return true
	}
	if !unicode.IsLetter(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
		return false
	}
	if unicode.Is(unicode.Latin, r) {
		// Latin-1 to Latin Extended-B and Latin Extended Additional, without ligatures and the long s. That ß is ss to old
		// resolvers does no harm.
		if r == 'ĳ' || r == 'Ĳ' || r == 'ſ' || r == 'ẞ' || 'Ǆ' <= r && r <= 'ǌ' || 'Ǳ' <= r && r <= 'ǳ' {
			return false
		}
		return 'À' <= r && r <= 'ɏ' || 'Ḁ' <= r && r <= 'ỿ'
	}
	return !unicode.In(r, unicode.Common, unicode.Inherited)
}

// numeric reports whether s is a number as inet_aton takes it, in which octal numbers are digits too.
func numeric(s string) bool {
	if len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		return strings.Trim(s[2:], "0123456789abcdefABCDEF") == ""
	}
	return s != "" && digits(s)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
