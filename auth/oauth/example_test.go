package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/session"
)

// A web application sends its users to authorize, and serves the page that they come back to.
func Example() {
	servers := newServers() // an MCP server and an authorization server that agrees to everything
	client, err := oauth.New(oauth.Config{
		Server:     "files",
		Resource:   "https://mcp.example.com/mcp",
		Issuer:     "https://as.example.com",
		Grant:      &oauth.AuthorizationCode{RedirectURL: "https://app.example.com/callback", ClientID: "my-app"},
		HTTPClient: &http.Client{Transport: servers}, // the default is a network
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	// The application knows who is at the other end, for example from its session cookie.
	authenticate := session.Middleware(func(r *http.Request) (session.Key, error) {
		return session.Key{Tenant: "acme", User: r.Header.Get("X-Test-User")}, nil
	})
	mux := http.NewServeMux()
	mux.Handle("/callback", authenticate(client.Callback(nil)))
	mux.Handle("/ask", authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := useServer(r.Context(), client)
		var required *auth.AuthRequiredError
		switch {
		case errors.As(err, &required):
			http.Redirect(w, r, required.URL, http.StatusFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
		default:
			io.WriteString(w, answer)
		}
	})))

	// What the user's browser does.
	browser := func(address string) *http.Response {
		r := httptest.NewRequest("GET", address, nil)
		r.Header.Set("X-Test-User", "alice")
		w := httptest.NewRecorder()
		if r.URL.Host == "as.example.com" {
			servers.ServeHTTP(w, r)
		} else {
			mux.ServeHTTP(w, r)
		}
		return w.Result()
	}
	first := browser("https://app.example.com/ask")
	login, _ := first.Location()
	fmt.Println(first.StatusCode, "go to", login.Host)
	back, _ := browser(login.String()).Location()
	fmt.Println("and come back to", back.Host+back.Path)
	page, _ := io.ReadAll(browser(back.String()).Body)
	fmt.Print(string(page))
	answer, _ := io.ReadAll(browser("https://app.example.com/ask").Body)
	fmt.Println(string(answer))
	// Output:
	// 302 go to as.example.com
	// and come back to app.example.com/callback
	// Authorized. You can close this page.
	// the server says hello
}

// A program on the user's machine prompts them, and the call goes on by itself.
func ExampleClient_Complete() {
	servers := newServers()
	var client *oauth.Client
	client, err := oauth.New(oauth.Config{
		Server:   "files",
		Resource: "https://mcp.example.com/mcp",
		Issuer:   "https://as.example.com",
		Grant: &oauth.AuthorizationCode{
			RedirectURL: "http://127.0.0.1:8123/callback",
			ClientID:    "my-program",
			Prompt: func(ctx context.Context, e *auth.AuthRequiredError) error {
				fmt.Println("Please authorize", e.Server)
				_, err := client.Complete(ctx, servers.browse(e.URL))
				return err
			},
		},
		HTTPClient: &http.Client{Transport: servers},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	ctx := session.NewContext(context.Background(), session.Key{User: "alice"})
	for range 2 {
		fmt.Println(useServer(ctx, client))
	}
	// Output:
	// Please authorize files
	// the server says hello <nil>
	// the server says hello <nil>
}

// useServer does one request as an auth.Chain has it done.
func useServer(ctx context.Context, client *oauth.Client) (string, error) {
	key, _ := session.FromContext(ctx)
	for range 2 {
		token, err := client.Token(ctx, key)
		if err != nil {
			return "", err
		}
		if !token.IsZero() {
			return "the server says hello", nil
		}
		refusal := auth.Refusal{StatusCode: http.StatusUnauthorized, Challenges: []string{"Bearer"}}
		_, err = client.Refused(ctx, key, refusal)
		var required *auth.AuthRequiredError
		if errors.As(err, &required) && required.Wait != nil { // the user has been prompted
			err = required.Wait(ctx)
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("refused twice")
}

func ExampleClient_Token() {
	client, err := oauth.New(oauth.Config{
		Server:   "files",
		Resource: "https://mcp.example.com/mcp",
		Grant:    &oauth.AuthorizationCode{RedirectURL: "https://app.example.com/callback"},
		Timeout:  10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	token, err := client.Token(context.Background(), session.Key{User: "alice"})
	fmt.Println(token.IsZero(), err)
	_, err = client.Token(context.Background(), session.Key{})
	fmt.Println(err)
	// Output:
	// true <nil>
	// oauth: token for server "files": session: identity refused: User is empty; pass the key of an authenticated user
}

func ExampleNew() {
	_, err := oauth.New(oauth.Config{
		Server:   "files",
		Resource: "https://mcp.example.com/mcp",
		Grant:    &oauth.AuthorizationCode{RedirectURL: "http://app.example.com/callback"},
	})
	fmt.Println(err)
	// Output:
	// oauth: server "files": AuthorizationCode.RedirectURL is not https: the URL is not secure; set it to an https URL, or http on a loopback address
}

// servers are the MCP server and the authorization server of the examples.
type servers struct{ *http.ServeMux }

func (s servers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

func (s servers) browse(address string) url.Values {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", address, nil))
	back, _ := w.Result().Location()
	return back.Query()
}

func newServers() servers {
	s := servers{http.NewServeMux()}
	document := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, text)
		}
	}
	s.Handle("/.well-known/oauth-protected-resource/mcp", document(`{
		"resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://as.example.com"]}`))
	s.Handle("/.well-known/oauth-authorization-server", document(`{
		"issuer": "https://as.example.com", "code_challenge_methods_supported": ["S256"],
		"authorization_endpoint": "https://as.example.com/authorize", "token_endpoint": "https://as.example.com/token"}`))
	s.Handle("/token", document(`{"access_token": "secret", "token_type": "Bearer", "expires_in": 3600}`))
	s.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := url.Values{"code": {"code"}, "state": {r.FormValue("state")}}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+q.Encode(), http.StatusFound)
	})
	return s
}
