package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// onlyFile returns the path of the one file in a directory.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	names := list(t, dir)
	if len(names) != 1 {
		t.Fatalf("files %q, want one", names)
	}
	return filepath.Join(dir, names[0])
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestFilesAreSealedAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	s := fileStore(t, dir, aesKey(1))
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}
	if err := s.Save(t.Context(), key, []byte("access-t0ken"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSecret(t.Context(), auth.SecretKey{Tenant: "acme", ID: "x"}, auth.Bearer("bearer-t0ken")); err != nil {
		t.Fatal(err)
	}
	modes := runtime.GOOS != "windows"
	info, err := os.Stat(dir)
	if err != nil || modes && info.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v, %v; want 0700", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d files, %v; want 2", len(entries), err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || modes && info.Mode().Perm() != 0o600 || len(entry.Name()) != 64+len(".sealed") {
			t.Errorf("file %s has mode %v, %v", entry.Name(), info.Mode(), err)
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range []string{"t0ken", "alice", "acme", "Bearer", "authorization"} {
			if bytes.Contains(content, []byte(clear)) || strings.Contains(entry.Name(), clear) {
				t.Errorf("file %s holds %q in the clear", entry.Name(), clear)
			}
		}
	}
}

func TestFilesThatCannotBeDecryptedAreNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := fileStore(t, dir, aesKey(1))
	mustSave(t, s, alice, "t0ken")
	path := onlyFile(t, dir)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range content { // the expiry in the header included
		changed := append([]byte(nil), content...)
		changed[i] ^= 1
		write(path, changed)
		mustFail(t, s, alice, path, "delete", "token/acme/alice/github")
		write(path, content[:i])
		mustFail(t, s, alice, path, "delete")
	}
	write(path, content)
	mustHold(t, s, alice, "t0ken")
	mustFail(t, fileStore(t, dir, aesKey(2)), alice, path, "not among those given", "give NewFileStore that key too")
	mustHold(t, fileStore(t, dir, aesKey(2), aesKey(1)), alice, "t0ken")

	// The file of one user in the place of another's.
	mustSave(t, s, bob, "other")
	for _, name := range list(t, dir) {
		write(filepath.Join(dir, name), content)
	}
	mustHold(t, s, alice, "t0ken")
	mustFail(t, s, bob, "sealed for something else")

	// What cannot be read can be replaced.
	mustSave(t, s, bob, "new")
	mustHold(t, s, bob, "new")
}

// A credential store that cannot be read is unavailable; one with a damaged file is not, or callers would go on with what
// they remember.
func TestFileStoreTellsDamageFromUnavailability(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := fileStore(t, dir, aesKey(1))
	key := auth.SecretKey{Tenant: "acme", ID: "x"}
	if err := s.SetSecret(t.Context(), key, auth.Bearer("t0ken")); err != nil {
		t.Fatal(err)
	}
	path := onlyFile(t, dir)
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Secret(t.Context(), key); err == nil || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("Secret of a damaged file = %v", err)
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil { // what cannot be read by root either
		t.Fatal(err)
	}
	if _, err := s.Secret(t.Context(), key); !errors.Is(err, auth.ErrStoreUnavailable) || errors.Is(err, auth.ErrNotFound) {
		t.Errorf("Secret of what cannot be read = %v, want ErrStoreUnavailable", err)
	}
}

func TestDirectoriesInWhichOthersCanWriteAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits on Windows")
	}
	for mode, ok := range map[os.FileMode]bool{0o700: true, 0o750: true, 0o755: true, 0o770: false, 0o702: false, 0o777: false, 0o777 | os.ModeSticky: false} {
		dir := filepath.Join(t.TempDir(), "store")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		_, err := auth.NewFileStore(dir, aesKey(1))
		if ok && err != nil {
			t.Errorf("a directory of mode %v is refused: %v", mode, err)
		}
		if !ok && (err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "0700")) {
			t.Errorf("a directory of mode %v: error %v, want one that names it and the mode it should have", mode, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, -1); err != nil {
		t.Skip("only root can give a directory away:", err)
	}
	if _, err := auth.NewFileStore(dir, aesKey(1)); err == nil || !strings.Contains(err.Error(), "12345") {
		t.Errorf("a directory of another user: error %v", err)
	}
}

func TestAFileIsNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.NewFileStore(path, aesKey(1)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("NewFileStore of a file = %v", err)
	}
}

func TestOpeningCleansWhatACrashLeftAndWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time begins in 2000, long before the files
		dir := filepath.Join(t.TempDir(), "store")
		s := fileStore(t, dir, aesKey(1))
		mustSave(t, s, alice, "kept")
		for i := range 100 {
			key := auth.TokenKey{Kind: "state", ID: fmt.Sprint(i)}
			if err := s.Save(t.Context(), key, []byte("v"), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		for name, age := range map[string]time.Duration{"tmp-old": 2 * time.Minute, "tmp-new": 0, "README": time.Hour, "garbage.sealed": time.Hour} {
			path := filepath.Join(dir, name)
			written := time.Now().Add(time.Minute - age)
			if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, written, written)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		again := fileStore(t, dir, aesKey(1))
		left := list(t, dir)
		if len(left) != 4 {
			t.Errorf("%d files are left: %q; want the one that does not expire, README, tmp-new and garbage.sealed", len(left), left)
		}
		for _, name := range left {
			if name == "tmp-old" {
				t.Error("the leftover of a crash is still there")
			}
		}
		mustHold(t, again, alice, "kept")
	})
}

func TestFileStoreDeletesWhatNobodyAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "store")
		s := fileStore(t, dir, aesKey(1))
		mustSave(t, s, alice, "kept")
		const alive = 50
		for i := range 6 * alive {
			if err := s.Save(t.Context(), auth.TokenKey{Kind: "state", ID: fmt.Sprint(i)}, []byte("v"), alive*time.Second); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := len(list(t, dir)); n > 2*alive {
			t.Errorf("%d files, of which %d live", n, alive)
		}
		mustHold(t, s, alice, "kept")
	})
}

// A save that fails leaves the old value and no leftover.
func TestFailedSavesChangeNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := fileStore(t, dir, aesKey(1))
	mustSave(t, s, alice, "old")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ended, alice, []byte("new"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Save with an ended context = %v", err)
	}
	if _, err := s.Load(ended, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context = %v", err)
	}
	mustHold(t, s, alice, "old")

	path := onlyFile(t, dir)
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), alice, []byte("new"), 0); err == nil || !strings.Contains(err.Error(), "token/acme/alice/github") {
		t.Errorf("Save that cannot put the file in its place = %v", err)
	}
	if err := s.Save(t.Context(), alice, nil, 0); err == nil {
		t.Error("Save that cannot delete succeeds")
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("files %q after a failed save, want no leftover", names)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), alice, []byte("new"), 0); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, auth.ErrNotFound) {
		t.Errorf("Save in a directory that is gone = %v", err)
	}
}

func TestFileStoreRefusesWhatItsFormWouldAlter(t *testing.T) {
	s := fileStore(t, filepath.Join(t.TempDir(), "store"), aesKey(1))
	key, bad := auth.SecretKey{Tenant: "acme", ID: "x"}, "s3cret\xff"
	for _, c := range []auth.Credential{
		auth.Bearer(bad), auth.Header("X-A", bad), auth.Header(bad, "v"), auth.Reference(bad),
		{Env: map[string]auth.Secret{"A": auth.NewSecret(bad)}}, {Principal: bad},
	} {
		err := s.SetSecret(t.Context(), key, c)
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("SetSecret of text that is not UTF-8 = %v", err)
		}
	}
}
