package auth

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Control returns an [*EgressError] unless connections to address, an IP address with a port, are allowed. It is for
// [net.Dialer.Control], which is called for each address that a name resolves to, in the step that connects to it.
func (e *Egress) Control(_, address string, _ syscall.RawConn) error {
	return e.checkAddress("", address)
}

// checkAddress is Control for an address of host.
func (e *Egress) checkAddress(host, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &EgressError{Host: shownHost(host), Reason: "what is to be connected to is not an IP address with a port"}
	}
	return e.checkAddr(host, ap.Addr())
}

// Transport returns a new transport that connects only to what e allows, with HTTP/2 and without a limit on how long a
// response takes: contexts bound that.
//
// Its Proxy function must stay, as that is where it checks the URL of each request, whether it goes through a proxy or
// not; so must DialContext, and DialTLSContext must not be set. All else may be tuned. The transport does not know about
// redirects: an [http.Client] around it should follow none that leaves the origin, as [Egress.Client] does.
func (e *Egress) Transport() *http.Transport {
	d := &egressDialer{Egress: e.clone()}
	return &http.Transport{
		Proxy:                  d.proxy,
		DialContext:            d.dial,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    64,
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true, // a custom DialContext switches it off
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// An egressDialer makes the connections of one transport.
type egressDialer struct {
	*Egress
	passed  atomic.Pointer[url.URL] // the last URL that passed, reduced to what the check looks at
	proxies sync.Map                // of "host:port" that Proxy has named, as the transport dials it
}

// checkURL is [Egress.CheckURL], and remembers what passed last: nearly all requests go to one host.
func (d *egressDialer) checkURL(u *url.URL) error {
	if p := d.passed.Load(); p != nil && u.Host == p.Host && u.Scheme == p.Scheme && u.Opaque == "" && u.User == nil {
		return nil
	}
	err := d.CheckURL(u)
	if err == nil {
		d.passed.Store(&url.URL{Scheme: u.Scheme, Host: u.Host})
	}
	return err
}

// proxy checks the URL of a request and returns the proxy it goes through. The transport calls it for every request that
// may need a connection; what it does not call it for goes to the same host and port as a request before.
func (d *egressDialer) proxy(r *http.Request) (*url.URL, error) {
	if err := d.checkURL(r.URL); err != nil || d.Proxy == nil {
		return nil, err
	}
	p, err := d.Proxy(r)
	if err != nil {
		return nil, err
	}
	if p != nil {
		d.proxies.Store(hostPort(p), true)
		return p, nil
	}
	if _, ok := d.proxies.Load(hostPort(r.URL)); ok {
		// The address of a proxy is not checked, and a request that does not go through it would get there unchecked.
		return nil, &EgressError{Host: shownHost(r.URL.Hostname()), Reason: "it is the proxy of other requests"}
	}
	return nil, nil
}

// hostPort returns what a transport dials for u, if its host is ASCII.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// dial connects to address, a host and port. The host is as the transport has prepared it for DNS, so it is checked once
// more: digits and dots beyond ASCII have become plain ones.
func (d *egressDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: d.Resolver}
	check := func(netip.Addr) error { return nil }
	if _, ok := d.proxies.Load(address); !ok {
		if err := d.checkHost(host); err != nil {
			return nil, err
		}
		check = func(a netip.Addr) error { return d.checkAddr(host, a) }
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return d.checkAddress(host, address) }
	}
	if d.LookupNetIP == nil && d.Dial == nil {
		return dialer.DialContext(ctx, network, address)
	}
	return d.dialInTurn(ctx, network, host, port, check, dialer)
}

// dialInTurn resolves host and connects to the first of its addresses that is allowed and answers. The error is that of
// the first address.
func (d *egressDialer) dialInTurn(ctx context.Context, network, host, port string, check func(netip.Addr) error, dialer *net.Dialer) (net.Conn, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, &net.AddrError{Err: "invalid port", Addr: host}
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for _, a := range addrs {
		if err = check(a); err == nil {
			ap := netip.AddrPortFrom(a.Unmap(), uint16(n))
			var conn net.Conn
			if d.Dial != nil {
				conn, err = d.Dial(ctx, network, ap)
			} else {
				conn, err = dialer.DialContext(ctx, network, ap.String())
			}
			if err == nil {
				return conn, nil
			}
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if first == nil {
		first = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return nil, first
}

func (d *egressDialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if d.LookupNetIP != nil {
		return d.LookupNetIP(ctx, "ip", host)
	}
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	return resolver.LookupNetIP(ctx, "ip", host)
}
