package vault

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A double answers as the HTTP API of Vault and OpenBao does, as far as this package and its tests use it: KV version 2 at
// secret/, ACL policies, tokens, and the auth method AppRole. Its clock is time.Now, so that it lives in bubbles too.
type double struct {
	namespace string // that requests must name
	hook      atomic.Pointer[hook]

	mu       sync.Mutex
	serial   int
	policies map[string]map[string][]string // name -> path -> capabilities
	tokens   map[string]*doubleToken
	mounts   map[string]map[string]*doubleRole // of AppRole
	secrets  map[string]*doubleSecret
}

// A hook sees each request before the double does and reports whether it has answered it.
type hook func(w http.ResponseWriter, r *http.Request) bool

func (d *double) before(h hook) { d.hook.Store(&h) }

type doubleToken struct {
	policies  []string
	ttl       time.Duration // what a renewal gives; 0 for root
	expires   time.Time
	max       time.Time // zero: none
	renewable bool
	uses      int // 0: any number
	batch     bool
}

type doubleRole struct {
	settings  map[string]any
	id        string
	secretIDs map[string]int // -> uses that are left; 0: any number
}

type doubleSecret struct {
	versions    []*doubleVersion
	casRequired bool
	deleteAfter time.Duration
}

type doubleVersion struct {
	data      map[string]any
	created   time.Time
	deletion  time.Time
	destroyed bool
}

const rootToken = "root"

func newDouble() *double {
	return &double{
		policies: map[string]map[string][]string{"default": {
			"auth/token/lookup-self": {"read"}, "auth/token/renew-self": {"update"}, "auth/token/revoke-self": {"update"},
		}},
		tokens:  map[string]*doubleToken{rootToken: {policies: []string{"root"}}},
		mounts:  map[string]map[string]*doubleRole{},
		secrets: map[string]*doubleSecret{},
	}
}

// RoundTrip makes a double a transport without sockets, which a bubble of testing/synctest needs. Requests take up to 2 ms, so
// that those of concurrent callers overlap.
func (d *double) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := sleep(r.Context(), rand.N(time.Millisecond)); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if err := sleep(r.Context(), rand.N(time.Millisecond)); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// An apiError is an answer that is not a success.
type apiError struct {
	status int
	errors []string
}

func fail(status int, errors ...string) *apiError { return &apiError{status, errors} }

var (
	denied       = fail(403, "permission denied")
	invalidToken = fail(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
)

type envelope map[string]any

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := d.hook.Load(); h != nil && *h != nil && (*h)(w, r) {
		return
	}
	var body map[string]any
	if r.Body != nil {
		dec := json.NewDecoder(r.Body)
		dec.UseNumber()
		dec.Decode(&body)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	answer, failed := d.serve(r, body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case failed != nil && answer == nil:
		w.WriteHeader(failed.status)
		json.NewEncoder(w).Encode(map[string]any{"errors": append([]string{}, failed.errors...)})
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		full := envelope{"request_id": "5a1c", "lease_id": "", "renewable": false, "lease_duration": 0, "data": nil, "wrap_info": nil, "warnings": nil, "auth": nil}
		maps.Copy(full, answer)
		if failed != nil {
			w.WriteHeader(failed.status)
		}
		json.NewEncoder(w).Encode(full)
	}
}

func (d *double) serve(r *http.Request, body map[string]any) (envelope, *apiError) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return nil, fail(404)
	}
	if path == "sys/health" {
		return envelope{"initialized": true, "sealed": false, "standby": false}, nil
	}
	if strings.ContainsFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return nil, fail(400, "path cannot contain non-printable characters")
	}
	if got := r.Header.Get("X-Vault-Namespace"); got != d.namespace {
		return nil, fail(404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	}
	if mount, ok := strings.CutSuffix(strings.TrimPrefix(path, "auth/"), "/login"); ok && strings.HasPrefix(path, "auth/") {
		return d.login(mount, body)
	}
	id := r.Header.Get("X-Vault-Token")
	token := d.tokens[id]
	if token == nil || !token.expires.IsZero() && !time.Now().Before(token.expires) {
		delete(d.tokens, id)
		return nil, invalidToken
	}
	if !d.allowed(token, r.Method, path) {
		return nil, denied
	}
	if token.uses > 0 {
		if token.uses--; token.uses == 0 {
			delete(d.tokens, id)
		}
	}
	switch {
	case strings.HasPrefix(path, "secret/"):
		return d.kv(r, strings.TrimPrefix(path, "secret/"), body)
	case strings.HasPrefix(path, "auth/token/"):
		return d.token(id, token, strings.TrimPrefix(path, "auth/token/"), body)
	case strings.HasPrefix(path, "sys/policies/acl/"):
		name := strings.TrimPrefix(path, "sys/policies/acl/")
		delete(d.policies, name)
		if r.Method != http.MethodDelete {
			d.policies[name] = parsePolicy(body["policy"].(string))
		}
		return nil, nil
	case strings.HasPrefix(path, "sys/auth/"):
		mount := strings.TrimPrefix(path, "sys/auth/")
		delete(d.mounts, mount)
		if r.Method != http.MethodDelete {
			d.mounts[mount] = map[string]*doubleRole{}
		}
		return nil, nil
	case strings.HasPrefix(path, "auth/"):
		return d.role(r, strings.TrimPrefix(path, "auth/"), body)
	}
	return nil, fail(404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
}

var policyRule = regexp.MustCompile(`path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}`)

func parsePolicy(text string) map[string][]string {
	rules := map[string][]string{}
	for _, m := range policyRule.FindAllStringSubmatch(text, -1) {
		for capability := range strings.SplitSeq(m[2], ",") {
			rules[m[1]] = append(rules[m[1]], strings.Trim(capability, " \t\n\""))
		}
	}
	return rules
}

// allowed finds the most specific rule: the exact path, or else the longest prefix.
func (d *double) allowed(t *doubleToken, method, path string) bool {
	if slices.Contains(t.policies, "root") {
		return true
	}
	best, capabilities := "", []string(nil)
	for _, name := range append([]string{"default"}, t.policies...) {
		for rule, has := range d.policies[name] {
			prefix, glob := strings.CutSuffix(rule, "*")
			if rule != path && (!glob || !strings.HasPrefix(path, prefix)) {
				continue
			}
			switch {
			case rule == best:
				capabilities = append(capabilities, has...)
			case best == "" || best != path && (rule == path || len(rule) > len(best)):
				best, capabilities = rule, slices.Clone(has)
			}
		}
	}
	if slices.Contains(capabilities, "deny") {
		return false
	}
	needs := map[string]string{"GET": "read", "LIST": "list", "DELETE": "delete", "POST": "update", "PUT": "update"}[method]
	if key, ok := strings.CutPrefix(path, "secret/data/"); ok && needs == "update" && d.secrets[key] == nil {
		needs = "create"
	}
	return slices.Contains(capabilities, needs)
}

func seconds(v any) time.Duration {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return time.Duration(n) * time.Second
	case string:
		d, _ := time.ParseDuration(v)
		return d
	}
	return 0
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, item := range list {
		out = append(out, item.(string))
	}
	return out
}

func (d *double) newID(prefix string) string {
	d.serial++
	return fmt.Sprintf("%s%024d", prefix, d.serial)
}

// issue makes a token and answers as a login does.
func (d *double) issue(policies []string, ttl, maxTTL time.Duration, renewable bool, uses int) envelope {
	id := d.newID("hvs.")
	now := time.Now()
	t := &doubleToken{policies: policies, ttl: ttl, renewable: renewable, uses: uses, expires: now.Add(ttl)}
	if maxTTL > 0 {
		t.max = now.Add(maxTTL)
		t.expires = now.Add(min(ttl, maxTTL))
	}
	d.tokens[id] = t
	return d.authBlock(id, t)
}

func (d *double) authBlock(id string, t *doubleToken) envelope {
	return envelope{"auth": map[string]any{
		"client_token": id, "accessor": "acc." + id[len(id)-4:], "policies": append([]string{"default"}, t.policies...),
		"token_policies": append([]string{"default"}, t.policies...), "metadata": nil, "entity_id": "", "token_type": "service", "orphan": true,
		"lease_duration": int(time.Until(t.expires).Round(time.Second) / time.Second), "renewable": t.renewable,
		"mfa_requirement": nil, "num_uses": t.uses,
	}}
}

func (d *double) login(mount string, body map[string]any) (envelope, *apiError) {
	roles, ok := d.mounts[mount]
	if !ok {
		return nil, denied // no login path, so it needs a token
	}
	for _, role := range roles {
		secretID, _ := body["secret_id"].(string)
		left, known := role.secretIDs[secretID]
		if role.id != body["role_id"] || !known {
			continue
		}
		if left == 1 {
			delete(role.secretIDs, secretID)
		} else if left > 1 {
			role.secretIDs[secretID]--
		}
		ttl := seconds(role.settings["token_ttl"])
		if ttl == 0 {
			ttl = 768 * time.Hour
		}
		answer := d.issue(texts(role.settings["token_policies"]), ttl, seconds(role.settings["token_max_ttl"]), true, number(role.settings["token_num_uses"]))
		if role.settings["token_type"] == "batch" {
			block := answer["auth"].(map[string]any)
			block["token_type"], block["renewable"] = "batch", false
			t := d.tokens[block["client_token"].(string)]
			t.batch, t.renewable = true, false
		}
		return answer, nil
	}
	return nil, fail(400, "invalid role or secret ID")
}

func (d *double) token(id string, t *doubleToken, path string, body map[string]any) (envelope, *apiError) {
	switch path {
	case "create":
		renewable, given := body["renewable"].(bool)
		return d.issue(texts(body["policies"]), seconds(body["ttl"]), seconds(body["explicit_max_ttl"]), renewable || !given, number(body["num_uses"])), nil
	case "lookup-self":
		ttl := 0
		var expire any
		if !t.expires.IsZero() {
			ttl, expire = int(time.Until(t.expires)/time.Second), t.expires
		}
		return envelope{"data": map[string]any{"id": id, "ttl": ttl, "creation_ttl": int(t.ttl / time.Second), "expire_time": expire,
			"renewable": t.renewable, "num_uses": t.uses, "policies": t.policies, "type": "service", "path": "auth/token/create"}}, nil
	case "renew-self":
		if !t.renewable {
			return nil, fail(400, "lease is not renewable")
		}
		t.expires = time.Now().Add(t.ttl)
		if !t.max.IsZero() && t.expires.After(t.max) {
			t.expires = t.max
		}
		return d.authBlock(id, t), nil
	case "revoke-self":
		if t.batch {
			return nil, fail(400, "batch tokens cannot be revoked")
		}
		delete(d.tokens, id)
		return nil, nil
	case "revoke":
		delete(d.tokens, body["token"].(string))
		return nil, nil
	}
	return nil, fail(404, "unsupported path")
}

// role serves the administration of AppRole below auth/.
func (d *double) role(r *http.Request, path string, body map[string]any) (envelope, *apiError) {
	mount, rest, _ := strings.Cut(path, "/role/")
	name, what, _ := strings.Cut(rest, "/")
	roles := d.mounts[mount]
	if roles == nil {
		return nil, fail(404, "no handler for route")
	}
	switch {
	case what == "":
		roles[name] = &doubleRole{settings: body, id: d.newID("role-"), secretIDs: map[string]int{}}
		return nil, nil
	case roles[name] == nil:
		return nil, fail(404)
	case what == "role-id":
		return envelope{"data": map[string]any{"role_id": roles[name].id}}, nil
	case what == "secret-id" && r.Method != http.MethodGet:
		id := d.newID("sec-")
		roles[name].secretIDs[id] = number(roles[name].settings["secret_id_num_uses"])
		return envelope{"data": map[string]any{"secret_id": id, "secret_id_accessor": "x", "secret_id_num_uses": 0, "secret_id_ttl": 0}}, nil
	case what == "secret-id/destroy":
		delete(roles[name].secretIDs, body["secret_id"].(string))
		return nil, nil
	}
	return nil, fail(404, "unsupported path")
}

func (v *doubleVersion) metadata(version int) map[string]any {
	deletion := ""
	if !v.deletion.IsZero() {
		deletion = v.deletion.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{"created_time": v.created.UTC().Format(time.RFC3339Nano), "custom_metadata": nil, "deletion_time": deletion,
		"destroyed": v.destroyed, "version": version}
}

func (d *double) kv(r *http.Request, path string, body map[string]any) (envelope, *apiError) {
	api, key, _ := strings.Cut(path, "/")
	s := d.secrets[key]
	switch write := r.Method == http.MethodPost || r.Method == http.MethodPut; {
	case api == "data" && r.Method == http.MethodGet:
		if s == nil || len(s.versions) == 0 {
			return nil, fail(404)
		}
		v := s.versions[len(s.versions)-1]
		data := map[string]any{"data": v.data, "metadata": v.metadata(len(s.versions))}
		if v.destroyed || !v.deletion.IsZero() && !time.Now().Before(v.deletion) {
			data["data"] = nil
			return envelope{"data": data}, fail(404)
		}
		return envelope{"data": data, "mount_type": "kv"}, nil
	case api == "data" && write:
		data, ok := body["data"].(map[string]any)
		if !ok {
			return nil, fail(400, "no data provided")
		}
		if s == nil {
			s = &doubleSecret{}
		}
		options, _ := body["options"].(map[string]any)
		cas, given := options["cas"]
		switch {
		case !given && s.casRequired:
			return nil, fail(400, "check-and-set parameter required for this call")
		case given && number(cas) != len(s.versions):
			return nil, fail(400, "check-and-set parameter did not match the current version")
		}
		v := &doubleVersion{data: data, created: time.Now()}
		if s.deleteAfter > 0 {
			v.deletion = v.created.Add(s.deleteAfter)
		}
		s.versions = append(s.versions, v)
		d.secrets[key] = s
		return envelope{"data": v.metadata(len(s.versions))}, nil
	case api == "data" && r.Method == http.MethodDelete:
		if s != nil && len(s.versions) > 0 {
			s.versions[len(s.versions)-1].deletion = time.Now()
		}
		return nil, nil
	case api == "destroy" && write:
		for _, version := range body["versions"].([]any) {
			if n := number(version); s != nil && n <= len(s.versions) {
				s.versions[n-1].destroyed, s.versions[n-1].data = true, nil
			}
		}
		return nil, nil
	case api == "metadata" && write:
		if s == nil {
			s = &doubleSecret{}
			d.secrets[key] = s
		}
		s.casRequired, _ = body["cas_required"].(bool)
		s.deleteAfter = seconds(body["delete_version_after"])
		return nil, nil
	case api == "metadata" && r.Method == http.MethodDelete:
		delete(d.secrets, key)
		return nil, nil
	case api == "metadata" && (r.Method == "LIST" || r.URL.Query().Get("list") == "true"):
		return d.list(key)
	case api == "metadata" && r.Method == http.MethodGet:
		if s == nil {
			return nil, fail(404)
		}
		return envelope{"data": map[string]any{"current_version": len(s.versions), "cas_required": s.casRequired}}, nil
	}
	return nil, fail(405, "unsupported operation")
}

func (d *double) list(under string) (envelope, *apiError) {
	names := map[string]bool{}
	for key := range d.secrets {
		if rest, ok := strings.CutPrefix(key, strings.TrimSuffix(under, "/")+"/"); ok {
			first, _, more := strings.Cut(rest, "/")
			if more {
				first += "/"
			}
			names[first] = true
		}
	}
	if len(names) == 0 {
		return nil, fail(404)
	}
	return envelope{"data": map[string]any{"keys": slices.Sorted(maps.Keys(names))}}, nil
}
