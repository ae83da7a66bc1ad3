// Package embedding makes any embedder fit for use.
//
// An embedder turns texts into vectors, most often by asking a server that is slow, costs money, allows few requests at a time
// and sometimes fails. A [Client] has the same two methods as the [Embedder] it wraps, so that it stands wherever the embedder
// stood, and
//
//   - sends many texts as few requests of bounded size, a few of them at a time,
//   - tries again after a failure, waiting longer each time, and gives up on an embedder that hangs,
//   - leaves a dead embedder alone for a while, so that it slows nobody down ([CooldownError]),
//   - asks once for a text that several callers need at the same time,
//   - keeps the vectors of documents in files, so that a restart embeds nothing again, and those of the last queries in memory,
//   - returns nothing but vectors of one dimension that have a direction ([Error]).
//
// Every embedder of langchaingo is an [Embedder].
package embedding
