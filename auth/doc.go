// Package auth decides what each request to a server is authorized with, and keeps it from everybody else.
//
// # Order of precedence
//
// A [Chain] stands for one server. Its sources are, in this order:
//
//  1. request authorization: the value that the request itself brings ([WithCredentials])
//  2. request credential id: the id that the request brings ([WithCredentials])
//  3. agent credential: the value or id of the agent that makes the request ([WithAgentCredentials])
//  4. server secret: the value or id of the server's own configuration ([ChainConfig].Credential,
//     [Chain.SetServerCredential])
//  5. OAuth token: the token of the user or of the server ([ChainConfig].OAuth)
//  6. none
//
// The first source that is present is used, and no other. [Chain.Explain] says which one that is, and [Chain.Resolve] what
// it gives.
//
// # What fails closed
//
// A source that is present and cannot be used is not passed over. The request fails with a [*SourceError] before anything
// is sent:
//
//   - a value that is empty, or has a byte that does not belong into a token or a header field ([ErrInvalidCredential]);
//     also the zero [Credential] for a server that a map names
//   - an id that the [SecretStore] does not have ([ErrNotFound]), does not give out ([ErrDenied]), or for which it cannot be
//     asked ([ErrStoreUnavailable]) once the value last seen has been used for as long as [ChainConfig].StaleFor allows
//   - an id without a store
//   - a token that the OAuth provider fails to obtain; if it has none yet, the request is sent without, because the
//     server's answer says what is needed
//   - a request that a connection makes by itself after the one has ended whose value opened it ([ErrRequestEnded])
//   - a panic in a store, a provider or a callback
//
// # What is kept where
//
// A value that a request brings is in that request's context and nowhere else. What outlives the request has what [Detach]
// left: ids and principals. What an id stands for is kept in memory, by tenant and id, for [ChainConfig].SecretTTL, and for
// at most 10,000 ids of a chain. A value given to [Chain.SetServerCredential] is in the [SecretStore], under a key that
// belongs to the server, until it is replaced, cleared or the server removed; what is only referred to by id is never
// changed. OAuth tokens are in the provider's [TokenStore]. Memory is not wiped.
//
// All values are [Secret], which shows in no print, log or encoding. They come out in two places: [Secret.Reveal], and the
// [Resolution] of a request.
package auth
