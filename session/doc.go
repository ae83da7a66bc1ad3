// Package session keeps one live value per key and closes it when nobody has used it for a while.
//
// A [Map] hands out counted references. The first [Map.Acquire] of an [ID] dials; concurrent callers of the same ID share
// that dial. A value is closed only when its last reference is released and it has been idle for [Config.IdleTimeout], was
// killed, retired or had to make room. It is never closed under a caller, and a caller never gets one that is closing.
//
//	m := session.New(session.Config[*Client]{Dial: dial, Close: hangUp})
//	defer m.Close()
//
//	ref, err := m.Acquire(ctx, session.ID{Key: key, Fingerprint: credential.Fingerprint()})
//	if err != nil {
//		return err
//	}
//	defer ref.Release()
//	return ref.Value().Call(ctx, ...)
//
// # Identity
//
// A [Key] says on whose behalf a session is used. It travels in a context: [Middleware] puts it there for HTTP servers,
// [NewContext] for everybody else. It is only as good as the authentication it came from: two requests with equal keys share
// sessions and whatever the sessions' servers know about their user. [Key.Validate] refuses the placeholders that a failed
// authentication tends to leave behind, because with them all strangers would share one session.
//
// A Map has no opinion on identities: it compares IDs and nothing else. Who calls Acquire validates the key.
package session
