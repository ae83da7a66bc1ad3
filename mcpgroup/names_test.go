package mcpgroup

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

var fitName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

var everyPolicy = []CollisionPolicy{CollisionError, CollisionPrefix, CollisionPriority}

func requests(server string, originals ...string) []nameRequest {
	var reqs []nameRequest
	for _, o := range originals {
		reqs = append(reqs, nameRequest{Original: o, Server: server})
	}
	return reqs
}

// exposed returns the names that reqs get, "" for those withheld, and checks what holds for every answer.
func exposed(t testing.TB, p NamePolicy, reqs []nameRequest) []string {
	t.Helper()
	if err := p.validate(); err != nil {
		t.Fatalf("validate: %v", err)
	}
	results := p.assign(reqs)
	if len(results) != len(reqs) {
		t.Fatalf("assign gave %d results for %d requests", len(results), len(reqs))
	}
	holder := map[string]nameRequest{}
	var names []string
	for i, r := range results {
		names = append(names, r.Exposed)
		if (r.Exposed == "") == (r.Err == nil) {
			t.Fatalf("%.80q: name %q and error %v: want exactly one", reqs[i].Original, r.Exposed, r.Err)
		}
		if r.Err != nil {
			if text := r.Err.Error(); len(text) > 1024 || text != cleanText(text, 1024) {
				t.Errorf("unclean error text %q", text)
			}
			continue
		}
		if !fitName.MatchString(r.Exposed) || len(r.Exposed) > p.maxLen() {
			t.Errorf("%.80q is exposed as %q", reqs[i].Original, r.Exposed)
		}
		key := strings.ToUpper(r.Exposed) // as langchaingo's executor does
		if other, ok := holder[key]; ok {
			t.Errorf("%.80q and %.80q are both exposed as %q", other, reqs[i], r.Exposed)
		}
		holder[key] = reqs[i]
	}
	return names
}

func TestToolNamesAreMadeFitForProviders(t *testing.T) {
	long := strings.Repeat("a", 65)
	for _, tt := range []struct {
		policy   NamePolicy
		original string
		want     string // literal hashes: a name that changes between releases breaks prompts and allow-lists
	}{
		{NamePolicy{}, "create_issue", "create_issue"},
		{NamePolicy{}, "Create-Issue2", "Create-Issue2"},
		{NamePolicy{}, long[:64], long[:64]},
		{NamePolicy{Prefix: "srv__"}, "ping", "srv__ping"},
		{NamePolicy{}, "a.b", "a_b_e13c2813"},
		{NamePolicy{}, "../../etc/passwd", "______etc_passwd_77c8e788"},
		{NamePolicy{}, "get contents", "get_contents_2d7e5a1d"},
		{NamePolicy{}, "查询", "___48a5c0c6"},
		{NamePolicy{}, "p\u0430y", "p_y_bce904e5"}, // Cyrillic a
		{NamePolicy{}, "\x1b[31mred\x1b[0m", "__31mred__0m_6855a8b7"},
		{NamePolicy{}, "\xff\xfe", "___83fd7059"},
		{NamePolicy{}, long, long[:55] + "_65286653"},
		{NamePolicy{Prefix: "srv__"}, long[:60], "srv__" + long[:50] + "_1d29ef61"},
		{NamePolicy{MaxLen: 16}, "create_pull_request", "create__0d896973"},
		{NamePolicy{MaxLen: 128}, strings.Repeat("b", 128), strings.Repeat("b", 128)},
		{NamePolicy{}, "report_0badcafe", "report_0badcafe_0ec2b59c"},
		{NamePolicy{}, "report_0BADCAFE", "report_0BADCAFE_fb3a351b"},
		{NamePolicy{}, "report_20badcafe", "report_20badcafe"},
	} {
		got := tt.policy.assign(requests("s", tt.original))[0]
		if got.Err != nil || got.Exposed != tt.want {
			t.Errorf("%+v: %q is exposed as %q (%v), want %q", tt.policy, tt.original, got.Exposed, got.Err, tt.want)
		}
	}
}

func TestDifferentOriginalsNeverMerge(t *testing.T) {
	originals := []string{"a_b", "a.b", "a/b", "a b", "a:b", "a\u200bb", "a__b", strings.Repeat("x", 70) + "1", strings.Repeat("x", 70) + "2"}
	names := exposed(t, NamePolicy{}, requests("s", originals...))
	if slices.Contains(names, "") {
		t.Errorf("a tool is withheld: %q", names)
	}
	if names[0] != "a_b" {
		t.Errorf("a_b is exposed as %q", names[0])
	}
}

func TestAServerCannotForgeTheHashOfAnothersName(t *testing.T) {
	victim := exposed(t, NamePolicy{}, requests("files", "a.b"))[0]
	for _, forged := range []string{victim, strings.ToUpper(victim)} {
		names := exposed(t, NamePolicy{}, append(requests("evil", forged), requests("files", "a.b")...))
		if names[1] != victim || names[0] == "" {
			t.Errorf("beside %q, a.b is exposed as %q and the other as %q", forged, names[1], names[0])
		}
	}
}

func TestANameDependsOnNoOtherTool(t *testing.T) {
	reqs := append(requests("one", "a.b", "A.b", "list", strings.Repeat("y", 99)), requests("two", "a.b", "show!", "x_12345678")...)
	for _, p := range []NamePolicy{{}, {Prefix: "p-"}, {MaxLen: 20}} {
		together := exposed(t, p, reqs)
		for i, r := range reqs {
			if alone := exposed(t, p, []nameRequest{r})[0]; alone != together[i] {
				t.Errorf("%q is %q alone and %q among others", r.Original, alone, together[i])
			}
		}
	}
}

// Scenarios 26, 28 and 65.
func TestAliasesAreUsedAsTheyAre(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, tt := range []struct {
		alias string
		ok    bool
	}{
		{"probe", true}, {"Probe-2", true}, {long, true}, {"x_0badcafe", true},
		{long + "a", false}, {"a.b", false}, {"a b", false}, {"\u202eeborp", false}, {"é", false},
	} {
		got := NamePolicy{Prefix: "srv__"}.assign([]nameRequest{{Original: "ping", Alias: tt.alias, Server: "s"}})[0]
		if tt.ok && (got.Exposed != tt.alias || got.Err != nil) {
			t.Errorf("alias %q: exposed as %q (%v)", tt.alias, got.Exposed, got.Err)
		}
		if !tt.ok && (got.Exposed != "" || got.Err == nil || !strings.Contains(got.Err.Error(), "alias")) {
			t.Errorf("alias %q: exposed as %q (%v), want an error about the alias", tt.alias, got.Exposed, got.Err)
		}
	}
	swap := []nameRequest{{Original: "a", Alias: "b", Server: "s"}, {Original: "b", Alias: "a", Server: "s"}}
	if got := exposed(t, NamePolicy{}, swap); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("two tools that swap names = %q", got)
	}
}

func TestNoServerTakesANameThatAnotherToolHasByAlias(t *testing.T) {
	held := nameRequest{Original: "create_issue", Alias: "file_bug", Server: "github"}
	attacks := [][]nameRequest{
		requests("evil", "file_bug"),
		requests("evil", "FILE_BUG"),
		requests("github", "file_bug"), // the same server, under another tool
		append(requests("file", "bug"), requests("evil", "bug")...),
	}
	for _, collision := range everyPolicy {
		for _, attack := range attacks {
			for _, reqs := range [][]nameRequest{append([]nameRequest{held}, attack...), append(slices.Clone(attack), held)} {
				names := exposed(t, NamePolicy{Collision: collision}, reqs)
				if got := names[slices.Index(reqs, held)]; got != "file_bug" {
					t.Errorf("%v, %q: the alias is exposed as %q", collision, reqs, got)
				}
			}
		}
		// A prefixed name must not reach the alias either.
		reqs := slices.Concat([]nameRequest{{Original: "x", Alias: "evil__list", Server: "github"}}, requests("evil", "list"), requests("good", "list"))
		if names := exposed(t, NamePolicy{Collision: collision}, reqs); names[0] != "evil__list" {
			t.Errorf("%v: the alias is exposed as %q", collision, names[0])
		}
	}
}

func TestCollidingNamesFollowThePolicy(t *testing.T) {
	twoServers := append(requests("github", "create_issue", "star"), requests("gitlab", "Create_Issue")...)
	sharedAlias := []nameRequest{{Original: "a", Alias: "same", Server: "s"}, {Original: "b", Alias: "SAME", Server: "s"}, {Original: "same", Server: "t"}}
	againstAlias := append([]nameRequest{{Original: "a", Alias: "list", Server: "s"}}, requests("t", "list")...)
	mimic := slices.Concat(requests("github", "create_issue"), requests("gitlab", "create_issue"), requests("evil", "github__create_issue"))
	for _, tt := range []struct {
		name string
		reqs []nameRequest
		want map[CollisionPolicy][]string
	}{
		{"two servers", twoServers, map[CollisionPolicy][]string{
			CollisionError:    {"", "star", ""},
			CollisionPrefix:   {"github__create_issue", "star", "gitlab__Create_Issue"},
			CollisionPriority: {"create_issue", "star", ""},
		}},
		{"one server", requests("s", "getUser", "getuser"), map[CollisionPolicy][]string{
			CollisionError:    {"", ""},
			CollisionPrefix:   {"", ""}, // the prefix does not tell them apart
			CollisionPriority: {"getUser", ""},
		}},
		{"shared alias", sharedAlias, map[CollisionPolicy][]string{
			CollisionError:    {"", "", ""},
			CollisionPrefix:   {"", "", "t__same"},
			CollisionPriority: {"same", "", ""},
		}},
		{"against an alias", againstAlias, map[CollisionPolicy][]string{
			CollisionError:    {"list", ""},
			CollisionPrefix:   {"list", "t__list"},
			CollisionPriority: {"list", ""},
		}},
		{"mimic of a prefixed name", mimic, map[CollisionPolicy][]string{
			CollisionError:    {"", "", "github__create_issue"},
			CollisionPrefix:   {"", "gitlab__create_issue", ""},
			CollisionPriority: {"create_issue", "", "github__create_issue"},
		}},
		{"name that others had to give up", slices.Concat(requests("a", "x__y"), requests("b", "x__y"), requests("x", "y"), requests("z", "y")),
			map[CollisionPolicy][]string{
				CollisionError:    {"", "", "", ""},
				CollisionPrefix:   {"a__x__y", "b__x__y", "x__y", "z__y"},
				CollisionPriority: {"x__y", "", "y", ""},
			}},
	} {
		for _, collision := range everyPolicy {
			if got := exposed(t, NamePolicy{Collision: collision}, tt.reqs); !slices.Equal(got, tt.want[collision]) {
				t.Errorf("%s, %v: %q, want %q", tt.name, collision, got, tt.want[collision])
			}
		}
	}
}

func TestACollisionIsReportedWithItsRival(t *testing.T) {
	results := NamePolicy{}.assign(append(requests("github", "list"), requests("gitlab", "List")...))
	for i, want := range []string{`its exposed name "list" collides with that of tool "List" of server "gitlab"`, `its exposed name "List" collides with that of tool "list" of server "github"`} {
		if got := results[i].Err.Error(); !strings.Contains(got, want) {
			t.Errorf("error %q, want %q", got, want)
		}
	}
}

func TestToolsThatCannotBeNamedAreWithheld(t *testing.T) {
	big := strings.Repeat("n", 1<<20)
	results := NamePolicy{}.assign(requests("s", "", big, big[:1024], big[:1025], "twice", "twice"))
	for i, want := range []string{"no name", "1048576 bytes", "", "1025 bytes", "", "more than once"} {
		switch err := results[i].Err; {
		case want == "" && err != nil:
			t.Errorf("request %d: %v", i, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("request %d: %q, %v; want an error with %q", i, results[i].Exposed, err, want)
		}
	}
	// The later tool of a repeated name does not get in through an alias either.
	reqs := []nameRequest{{Original: "a", Server: "s"}, {Original: "a", Alias: "b", Server: "s"}}
	if got := exposed(t, NamePolicy{}, reqs); !slices.Equal(got, []string{"a", ""}) {
		t.Errorf("a repeated name with an alias = %q", got)
	}
}

func TestNamePolicyIsValidated(t *testing.T) {
	for _, tt := range []struct {
		policy NamePolicy
		want   string // "" for a valid policy
	}{
		{NamePolicy{}, ""},
		{NamePolicy{Prefix: "github__", MaxLen: 16 + 9, Collision: CollisionPriority}, ""},
		{NamePolicy{Prefix: strings.Repeat("p", 54)}, ""},
		{NamePolicy{Prefix: strings.Repeat("p", 55)}, "prefix has 55 characters"},
		{NamePolicy{Prefix: "git.hub"}, "outside of"},
		{NamePolicy{MaxLen: 15}, "MaxLen is 15"},
		{NamePolicy{MaxLen: 129}, "MaxLen is 129"},
		{NamePolicy{MaxLen: -1}, "MaxLen is -1"},
		{NamePolicy{Collision: 3}, "unknown collision policy 3"},
		{NamePolicy{Collision: -1}, "unknown collision policy"},
	} {
		err := tt.policy.validate()
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.policy, err, tt.want)
		}
	}
}

// hostileNames returns n names of the kinds that a hostile server would send, some of them equal or alike.
func hostileNames(rng *rand.Rand, n int) []string {
	bad := []string{
		"", " ", ".", "../", "..\\", "\x00", "\a", "\x7f", "\r\n", "\x1b[2K", "\x1b]0;x\a", "\u0085", "\u009b31m", "\u061c",
		"\u200b", "\u200d", "\u2028", "\u202e", "\u2066", "\ufeff", "\ufe0f", "\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100",
		"\xff", "\xed\xa0\x80", "е", "і", "ⅼ", "ａ", "ß", "ſ", "K", "🏴", "%00", "${x}", "`id`", "'--", "<b>", "{{", "__", "--",
		"_0badcafe", strings.Repeat("z", 64), strings.Repeat("z", 63) + ".", strings.Repeat("\u202e", 300), strings.Repeat("A", 1<<20),
	}
	stems := []string{"list", "List", "create_issue", "github__list", "a", ""}
	var names []string
	for range n {
		switch name := bad[rng.IntN(len(bad))]; rng.IntN(5) {
		case 0:
			names = append(names, name)
		case 1:
			names = append(names, name+stems[rng.IntN(len(stems))])
		case 2:
			names = append(names, stems[rng.IntN(len(stems))]+name+bad[rng.IntN(len(bad))])
		case 3:
			names = append(names, mangle(stems[rng.IntN(len(stems))]+name))
		default:
			if len(names) == 0 {
				names = append(names, name)
				continue
			}
			other := names[rng.IntN(len(names))]
			names = append(names, []string{other, strings.ToUpper(other), NamePolicy{}.expose("", nameRequest{Original: other, Server: "one"})}[rng.IntN(3)])
		}
	}
	return names
}

// Reliability S7.
func TestHostileNamesNeitherReachAnAgentNorCollide(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var reqs []nameRequest
		for _, name := range hostileNames(rng, 200) {
			reqs = append(reqs, nameRequest{Original: name, Server: []string{"one", "two", "three"}[rng.IntN(3)]})
		}
		aliased := nameRequest{Original: "mine", Alias: "list", Server: "good"}
		reqs = append(reqs, aliased)
		for _, collision := range everyPolicy {
			p := NamePolicy{Collision: collision}
			names := exposed(t, p, reqs)
			if got := names[len(names)-1]; got != "list" {
				t.Errorf("seed %d, %v: the alias is exposed as %q", seed, collision, got)
			}
			if got := slices.Compact(slices.Sorted(slices.Values(names))); len(got) < 50 {
				t.Errorf("seed %d, %v: only %d names are left of 200: nothing is tested", seed, collision, len(got))
			}
			if collision != CollisionPriority {
				checkOrderDoesNotMatter(t, rng, p, reqs)
			}
		}
	}
}

func checkOrderDoesNotMatter(t *testing.T, rng *rand.Rand, p NamePolicy, reqs []nameRequest) {
	t.Helper()
	want := outcomes(p, reqs)
	shuffled := slices.Clone(reqs)
	rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if got := outcomes(p, shuffled); !maps.Equal(got, want) {
		for k := range want {
			if got[k] != want[k] {
				t.Errorf("%+v: %q becomes %q, in another order %q", p, k, want[k], got[k])
			}
		}
	}
}

// outcomes maps each tool to the best answer that a request for it got, so that duplicates count once.
func outcomes(p NamePolicy, reqs []nameRequest) map[nameRequest]string {
	m := map[nameRequest]string{}
	for i, r := range p.assign(reqs) {
		text := r.Exposed
		if r.Err != nil {
			text = "withheld: " + r.Err.Error()
		}
		if old, ok := m[reqs[i]]; !ok || strings.Contains(old, "more than once") {
			m[reqs[i]] = text
		}
	}
	return m
}

// The twin of CollisionError: it compares every tool with every other one, straight from the definition.
func assignByDefinition(p NamePolicy, reqs []nameRequest) []string {
	wants := make([]string, len(reqs))
	for i, r := range reqs {
		repeated := slices.ContainsFunc(reqs[:i], func(o nameRequest) bool { return o.Original == r.Original && o.Server == r.Server })
		switch {
		case r.Original == "" || len(r.Original) > 1024 || repeated:
		case r.Alias == "":
			wants[i] = p.expose(p.Prefix, r)
		case fitName.MatchString(r.Alias) && len(r.Alias) <= p.maxLen():
			wants[i] = r.Alias
		}
	}
	got := slices.Clone(wants)
	for i := range reqs {
		for j := range reqs {
			collides := i != j && wants[i] != "" && strings.EqualFold(wants[i], wants[j])
			if collides && (reqs[i].Alias == "" || reqs[j].Alias != "") {
				got[i] = ""
			}
		}
	}
	return got
}

func FuzzAssign(f *testing.F) {
	f.Add("s\na.b\n\nt\na_b\n\n", "", uint8(0))
	f.Add("s\ngetUser\n\ns\ngetuser\n\nt\nx\ngetUser", "p__", uint8(1))
	f.Add("s\na\n\nt\na\n\nu\ns__a\n", "", uint8(1))
	f.Add("s\na\nsame\ns\nb\nSAME\nt\nsame\n", "", uint8(2))
	f.Add("s\n\xff\u202e\n\ns\n\U000e0041\n../x", "-", uint8(0))
	f.Add("s\na\n\U000e0141", "", uint8(0)) // counts as printable for %q
	f.Fuzz(func(t *testing.T, text, prefix string, collision uint8) {
		p := NamePolicy{Prefix: mangle(prefix), Collision: CollisionPolicy(collision % 3)}
		if p.validate() != nil {
			return
		}
		var reqs []nameRequest
		for fields := strings.Split(text, "\n"); len(fields) >= 3 && len(reqs) < 64; fields = fields[3:] {
			reqs = append(reqs, nameRequest{Server: fields[0], Original: fields[1], Alias: fields[2]})
		}
		got := exposed(t, p, reqs)
		for i, r := range reqs {
			if got[i] != "" && r.Alias != "" && got[i] != r.Alias {
				t.Errorf("alias %q is exposed as %q", r.Alias, got[i])
			}
		}
		if p.Collision == CollisionError {
			if want := assignByDefinition(p, reqs); !slices.Equal(got, want) {
				t.Errorf("%q\n got %q\nwant %q", reqs, got, want)
			}
		}
	})
}

func TestDescriptionsUseTheNamesThatAgentsSee(t *testing.T) {
	renames := map[string]string{
		"create_issue": "gh__create_issue", "get-repo": "gh__get-repo", "listAll": "gh__listAll", "search": "gh__search",
		"a.b": "gh__a_b_12345678", "files/read": "gh__files_read_12345678", "Add a row": "gh__Add_a_row_12345678", "x1": "y1", "y1": "x1",
	}
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"Nothing to do here.", "Nothing to do here."},
		{"Call create_issue first.", "Call gh__create_issue first."},
		{"create_issue", "gh__create_issue"},
		{"create_issue: see get-repo, listAll... (create_issue)", "gh__create_issue: see gh__get-repo, gh__listAll... (gh__create_issue)"},
		{"create_issue_comment, recreate_issue, create_issues", "create_issue_comment, recreate_issue, create_issues"},
		{"--create_issue x-create_issue écreate_issue create_issueé", "--create_issue x-create_issue écreate_issue create_issueé"},
		{"https://x.y/create_issue and /v1/create_issue and repo.create_issue", "https://x.y/create_issue and /v1/create_issue and repo.create_issue"},
		{"use a.b or files/read.", "use gh__a_b_12345678 or gh__files_read_12345678."},
		{"create_issue/get-repo but create_issue/other", "gh__create_issue/gh__get-repo but create_issue/other"},
		{"x1 then y1", "y1 then x1"}, // one pass: a swap stays a swap
		{"Use this to search for rows.", "Use this to search for rows."},
		{"`search`, \"search\", 'search', search(q), the search tool, search tools, search toolbox",
			"`gh__search`, \"gh__search\", 'gh__search', gh__search(q), the gh__search tool, search tools, search toolbox"},
		{"first 'Add a row', then Add a row", "first 'gh__Add_a_row_12345678', then Add a row"},
		{"don't use `create_issue(title)` on `get-repo`", "don't use `gh__create_issue(title)` on `gh__get-repo`"},
		{"\xffcreate_issue\xff", "\xffgh__create_issue\xff"},
	} {
		if got := renameInText(tt.in, renames); got != tt.want {
			t.Errorf("renameInText(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

func TestRewritingATextIsBounded(t *testing.T) {
	for _, text := range []string{strings.Repeat("a_ ", 10000), strings.Repeat("a_/", 10000) + "a_"} {
		got := renameInText(text, map[string]string{"a_": strings.Repeat("N", 64)})
		if n := strings.Count(got, "N") / 64; n != maxRewrites {
			t.Errorf("%d names rewritten, want %d", n, maxRewrites)
		}
		if !strings.HasSuffix(got, text[len("a_/")*maxRewrites:]) {
			t.Error("the rest of the text changed")
		}
	}
}

// The twin knows where the names are because it put the text together.
func TestRewritingFindsExactlyTheWholeWords(t *testing.T) {
	renames := map[string]string{"a_1": "A", "b-2": "BBBBBBBB", "c3": "c_3"}
	words := []string{"a_1", "b-2", "c3", "a_12", "xa_1", "a", "_", "é", "c3c3", "plain", "日本"}
	gaps := []string{" ", ", ", "\n", " (", ") ", "=", " | ", "<", " 'x' "}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var text, want strings.Builder
		for range rng.IntN(20) {
			word, gap := words[rng.IntN(len(words))], gaps[rng.IntN(len(gaps))]
			text.WriteString(word + gap)
			if to, ok := renames[word]; ok {
				word = to
			}
			want.WriteString(word + gap)
		}
		if got := renameInText(text.String(), renames); got != want.String() {
			t.Fatalf("renameInText(%q)\n got %q\nwant %q", text.String(), got, want.String())
		}
	}
}

func FuzzRenameInText(f *testing.F) {
	f.Add("call a.b, `c d` or e_f/g_h (see search tool)", "e_f")
	f.Add("''''`\"a\"`", "a")
	f.Add("x/x/x:x.x...", "x/x")
	f.Fuzz(func(t *testing.T, text, name string) {
		if name == "" {
			return
		}
		if same := renameInText(text, map[string]string{name: name}); same != text {
			t.Errorf("renaming %q to itself changes %q to %q", name, text, same)
		}
		got := renameInText(text, map[string]string{name: "NEW"})
		if !strings.Contains(text, name) && got != text {
			t.Errorf("%q changes to %q without %q in it", text, got, name)
		}
		if utf8.ValidString(text) && utf8.ValidString(name) && !utf8.ValidString(got) {
			t.Errorf("%q becomes invalid: %q", text, got)
		}
		if len(got) > len(text)+maxRewrites*len("NEW") {
			t.Errorf("%d bytes grow to %d", len(text), len(got))
		}
	})
}

func ExampleNamePolicy() {
	server := mcp.NewServer(&mcp.Implementation{Name: "github"}, nil)
	for _, name := range []string{"create_issue", "repos.list", "search_code"} {
		server.AddTool(&mcp.Tool{Name: name, InputSchema: map[string]any{"type": "object"}},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{}, nil
			})
	}
	group, err := New(ServerConfig{
		Name:      "github",
		Server:    server,
		Names:     NamePolicy{Prefix: "github__"},
		Overrides: map[string]Override{"search_code": {Alias: "find_code"}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer group.Close()

	tools, err := group.Tools(session.NewContext(context.Background(), session.Key{User: "alice"}))
	for _, t := range tools {
		fmt.Println(t.OriginalName, "->", t.Name)
	}
	fmt.Println("error:", err)
	// Output:
	// search_code -> find_code
	// create_issue -> github__create_issue
	// repos.list -> github__repos_list_42544950
	// error: <nil>
}
