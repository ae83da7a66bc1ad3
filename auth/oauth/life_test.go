package oauth

import (
	"encoding/json"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheLifeOfATokenIsMadeUsable(t *testing.T) {
	for in, want := range map[string]string{
		`{"expires_in":3600}`:                       `{"expires_in":3600}`,
		`{"expires_in":"3600","scope":"<a>"}`:       `{"expires_in":3600,"scope":"\u003ca\u003e"}`,
		`{"expires_in":3600.5}`:                     `{"expires_in":3600}`,
		`{"expires_in":1e3}`:                        `{"expires_in":1000}`,
		`{"expires_in":99999999999999999999}`:       `{"expires_in":2147483647}`,
		`{"expires_in":1e999}`:                      `{"expires_in":2147483647}`,
		`{"expires_in":-1e999}`:                     `{}`,
		`{"expires_in":0,"access_token":"a"}`:       `{"access_token":"a"}`,
		`{"expires_in":-1}`:                         `{}`,
		`{"expires_in":"-1"}`:                       `{}`,
		`{"expires_in":0.5}`:                        `{}`,
		`{"Expires_In":-1}`:                         `{}`,
		`{"expires_in":null}`:                       `{"expires_in":null}`,
		`{"expires_in":"never"}`:                    `{"expires_in":"never"}`,
		`{"expires_in":"Infinity"}`:                 `{"expires_in":"Infinity"}`,
		`{"expires_in":[1]}`:                        `{"expires_in":[1]}`,
		`{"access_token":"a"`:                       `{"access_token":"a"`,
		`[-1]`:                                      `[-1]`,
		`null`:                                      `null`,
		`{"other":{"expires_in":-1}, "else": 1.50}`: `{"other":{"expires_in":-1}, "else": 1.50}`,
	} {
		if got := string(withUsableLife([]byte(in))); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// A server that gets the life of its tokens wrong must not have each call refresh them, nor cost the user the rotated
// refresh token.
func TestAnAbsurdLifeCostsNoRefreshes(t *testing.T) {
	for _, life := range []string{"-1", "0", "3600.5", "99999999999999999999", `"-1"`} {
		t.Run(life, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.onToken = func(_ url.Values, answer map[string]any) { answer["expires_in"] = json.RawMessage(life) }
				c := w.client()
				w.login(c, alice)
				for range 50 {
					w.works(c, alice)
				}
				w.wantCounts("refresh=0")
				w.mu.Lock()
				clear(w.access)
				w.mu.Unlock()
				for range 50 {
					w.works(c, alice) // with the refresh token
				}
				synctest.Wait()
				w.wantCounts("refresh=1 reuse=0 authorize=1")
				c.Close()
			})
		})
	}
}

// Machines' tokens have an end in any case.
func TestAMachinesTokenWithoutALifeIsGoodForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGrantWorld(t)
		w.life = json.RawMessage("-1")
		c := w.client(serviceAccount())
		for range 50 {
			mustObtain(t, c, worldUser)
		}
		w.only()
		time.Sleep(defaultLife)
		mustObtain(t, c, worldUser)
		if n := len(w.requests()); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}
		c.Close()
	})
}

// What is handed to x/oauth2 is understood by it.
func FuzzTheLifeOfAToken(f *testing.F) {
	for _, s := range []string{"1", "-1", "0.5", "1e400", `"7"`, "null", `"x"`, "[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, life string) {
		var number json.Number
		if json.Unmarshal([]byte(life), &number) != nil || number == "" {
			t.Skip() // what is no number stays, and is refused
		}
		out := withUsableLife([]byte(`{"access_token":"a","expires_in":` + life + `}`))
		var got struct {
			Access string `json:"access_token"`
			Life   *int32 `json:"expires_in"`
		}
		if err := json.Unmarshal(out, &got); err != nil || got.Access != "a" || got.Life != nil && *got.Life < 1 {
			t.Errorf("%s becomes %s: %v", life, out, err)
		}
	})
}
