package httptext

import (
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachByteIsInTheGrammarsThatSaySo(t *testing.T) {
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for b := range 256 {
		s := string([]byte{byte(b)})
		in := func(set string) bool { return strings.Contains(set, s) }
		if got, want := Token(s), in(alphanumeric+"!#$%&'*+-.^_`|~"); got != want {
			t.Errorf("Token(%q) = %t", s, got)
		}
		if got, want := B64Token(s), in(alphanumeric+"-._~+/"); got != want {
			t.Errorf("B64Token(%q) = %t", s, got)
		}
		if got, want := FieldFault("X-Any", "a"+s+"b") == "", ' ' <= b && b <= '~'; got != want {
			t.Errorf("FieldFault of a value with %q: fine is %t", s, got)
		}
	}
	for s, want := range map[string]bool{"": false, "=": false, "a==": true, "a=b": false} {
		if B64Token(s) != want {
			t.Errorf("B64Token(%q) = %t", s, !want)
		}
	}
	if Token("") {
		t.Error("the empty string is a token")
	}
}

func TestCredentialsInAFieldHaveToBeWellFormed(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		fine        bool
	}{
		{"X-Any", "", true},
		{"X-Any", " a", false},
		{"X-Any", "a ", false},
		{"Authorization", "", false},
		{"Authorization", "Bearer abc", true},
		{"Authorization", "bearer", false},
		{"Authorization", "Bearer a b", false},
		{"Authorization", "DPoP abc", true},
		{"Authorization", "dpop ", false},
		{"Authorization", "DPoP a b", false},
		{"Authorization", "Basic YTpi", true},
		{"Authorization", "Basic ", false},
		{"Proxy-Authorization", "Bearer ä", false},
		{"Authorization", "Digest username=\"a\"", true},
	} {
		if fault := FieldFault(tt.name, tt.value); (fault == "") != tt.fine {
			t.Errorf("FieldFault(%q, %q) = %q", tt.name, tt.value, fault)
		}
	}
}

func TestAnOriginIsSchemeHostAndPort(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"https://h/a", "https://H:443/b?c", true},
		{"http://h", "http://h:80", true},
		{"http://h", "https://h", false},
		{"https://h", "https://h:8443", false},
		{"https://k", "https://\u212a", false}, // the Kelvin sign
	} {
		a, errA := url.Parse(tt.a)
		b, errB := url.Parse(tt.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if SameOrigin(a, b) != tt.same || SameOrigin(b, a) != tt.same {
			t.Errorf("SameOrigin(%s, %s) is not %t", a, b, tt.same)
		}
	}
}
