package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPlaceholdersAreNoIdentity(t *testing.T) {
	for _, user := range []string{
		"", " ", "-", "<>", "???", "anonymous", "Anonymous", "ANON", "default", "default_user", "default-user", "Default User", "defaultUser",
		"unknown", "undefined", "null", "NULL", "(null)", "nil", "<nil>", "none", "None", "guest", "guest_user", "user", "User", "<user>",
		"user_id", "{username}", "NaN", "[object Object]", "%!s(<nil>)", "not-set", "anonymous.",
	} {
		err := Key{Tenant: "acme", User: user}.Validate()
		var identityErr *IdentityError
		if !errors.As(err, &identityErr) || identityErr.Field != "User" {
			t.Errorf("Validate of %q = %v, want an *IdentityError", user, err)
		}
	}
}

func TestRealIdentitiesAreAccepted(t *testing.T) {
	for _, k := range []Key{
		{User: "alice"}, {User: "0"}, {User: "user1"}, {User: "null-island"}, {User: "nilsson"}, {User: "guest@example.com"}, {User: "Ünal"}, {User: "李"},
		{User: "00000000-0000-4000-8000-000000000000"}, {User: "auth0|5f7c8ec7c33c6c004bbafe82"},
		{Tenant: "default", User: "alice", Conversation: "none"},
		{User: strings.Repeat("x", 1024)},
	} {
		if err := k.Validate(); err != nil {
			t.Errorf("Validate of %+v = %v", k, err)
		}
	}
}

func TestEveryPartOfAKeyIsBoundedAndPrintable(t *testing.T) {
	for _, bad := range []string{"a\x00b", "a\nb", "a\x7fb", "a\u0085b", "a\xffb", strings.Repeat("x", 1025)} {
		for field, k := range map[string]Key{
			"Tenant": {Tenant: bad, User: "alice"}, "User": {User: bad}, "Conversation": {User: "alice", Conversation: bad},
		} {
			var identityErr *IdentityError
			if err := k.Validate(); !errors.As(err, &identityErr) || identityErr.Field != field || strings.Contains(err.Error(), bad) {
				t.Errorf("Validate of %s %q = %v, want an *IdentityError that does not repeat it", field, bad, err)
			}
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("acme", "alice", "1")
	f.Add("", "<nil>", "")
	f.Add("", "ǅ\u0130", "\u200b")
	f.Fuzz(func(t *testing.T, tenant, user, conversation string) {
		k := Key{tenant, user, conversation}
		_ = k.String()
		if k.Validate() != nil {
			return
		}
		for _, s := range []string{tenant, user, conversation} {
			if len(s) > 1024 || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
				t.Errorf("accepted %q", s)
			}
		}
		for _, spelling := range []string{user, "<" + user + ">", " " + user + " "} {
			for placeholder := range placeholders {
				if strings.EqualFold(strings.Trim(spelling, "<> _-"), placeholder) {
					t.Errorf("accepted the placeholder %q", spelling)
				}
			}
		}
	})
}

func TestLogsShowNeitherConversationNorFingerprint(t *testing.T) {
	id := ID{Key: Key{Tenant: "acme", User: "alice", Conversation: "conversation-cookie"}, Fingerprint: "fingerprint-of-token"}
	var text, js bytes.Buffer
	for _, logger := range []*slog.Logger{textLogger(&text), slog.New(slog.NewJSONHandler(&js, nil))} {
		logger.Info("x", "id", id, "key", id.Key)
	}
	err := &DialError{ID: id, Err: errRefused}
	for _, s := range []string{text.String(), js.String(), err.Error(), id.String(), id.Key.String()} {
		if strings.Contains(s, "cookie") || strings.Contains(s, "token") || !strings.Contains(s, "acme/alice#") {
			t.Errorf("%q shows too much or too little", s)
		}
	}
	if a, b := id.String(), (ID{Key: id.Key, Fingerprint: "other"}).String(); a == b {
		t.Errorf("two credentials look the same: %s", a)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := ReasonIdle; r < reasons; r++ {
		if name := r.String(); name == "" || seen[name] {
			t.Errorf("Reason(%d) is called %q", r, name)
		}
		seen[r.String()] = true
	}
	if got, err := json.Marshal(Stats{Closed: map[Reason]uint64{ReasonIdle: 2}}.Closed); err != nil || string(got) != `{"idle":2}` {
		t.Errorf("JSON = %s, %v", got, err)
	}
	if got := Reason(99).String(); got != "Reason(99)" {
		t.Errorf("Reason(99) is called %q", got)
	}
}

func TestContextCarriesTheKey(t *testing.T) {
	if _, ok := FromContext(t.Context()); ok {
		t.Error("an empty context carries a key")
	}
	want := Key{Tenant: "acme", User: "alice"}
	ctx := NewContext(NewContext(t.Context(), Key{User: "bob"}), want)
	if got, ok := FromContext(context.WithoutCancel(ctx)); !ok || got != want {
		t.Errorf("FromContext = %v, %t", got, ok)
	}
}

func TestMiddleware(t *testing.T) {
	for _, test := range []struct {
		name   string
		key    Key
		err    error
		status int
	}{
		{"identified", Key{User: "alice"}, nil, http.StatusOK},
		{"refused", Key{User: "alice"}, errors.New("signature of token abc is wrong"), http.StatusUnauthorized},
		{"nobody", Key{}, nil, http.StatusUnauthorized},
		{"placeholder", Key{User: "anonymous"}, nil, http.StatusUnauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler := Middleware(func(*http.Request) (Key, error) { return test.key, test.err })(
				http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if k, ok := FromContext(r.Context()); !ok || k != test.key || test.status != http.StatusOK {
						t.Errorf("the handler ran for %v, %t", k, ok)
					}
				}))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			if w.Code == http.StatusUnauthorized && (w.Body.String() != "Unauthorized\n" || w.Header().Get("WWW-Authenticate") != "Bearer") {
				t.Errorf("the answer is %q with %v, want no details and a challenge", w.Body, w.Header())
			}
		})
	}
	mustPanic(t, "identify is nil", func() { Middleware(nil) })
	mustPanic(t, "handler is nil", func() { Middleware(func(*http.Request) (Key, error) { return Key{}, nil })(nil) })
}

func TestMiddlewareKeepsTheChallengeOfAnOuterHandler(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("WWW-Authenticate", "Basic")
	Middleware(func(*http.Request) (Key, error) { return Key{}, nil })(http.NotFoundHandler()).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != "Basic" {
		t.Errorf("challenge %q", got)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	dial := func(context.Context, ID) (int, error) { return 0, nil }
	hangUp := func(int, ID, Reason) {}
	for text, cfg := range map[string]Config[int]{
		"both are required":  {Dial: dial},
		"Config.OnLimit":     {Dial: dial, Close: hangUp, OnLimit: 7},
		"Config.DialTimeout": {Dial: dial, Close: hangUp, DialTimeout: -1},
	} {
		mustPanic(t, text, func() { New(cfg) })
	}
	mustPanic(t, "both are required", func() { New(Config[int]{Close: hangUp}) })
}
