// Package redis keeps OAuth tokens in Redis, where all processes that serve the same users share them and refresh them
// one at a time.
//
// Redis must not lose what it has acknowledged: switch the append-only file on. One that comes back with an older
// snapshot, or fails over to a replica that is behind, brings refresh tokens back that were used already. Most
// authorization servers then revoke the user's tokens, and the user must authorize again. One that comes back empty does
// no such harm: it costs every user a login.
//
// For the same reason the client must not read from replicas.
//
// Values are in the clear unless the store is wrapped in [auth.Encrypt], which keeps the locks.
package redis
