// Package vectorstore finds tools in a vector store of langchaingo, such as PostgreSQL with pgvector: for catalogues that
// outgrow the memory of one machine, or that many machines are to share. An [Index] is a [selector.VectorIndex].
//
// langchaingo's interface adds documents and searches. It deletes nothing, changes nothing and cannot tell what is there. So an
// Index remembers itself which documents are current, and
//
//   - marks each document with a hash of its text: a text that is in the store already, from this process or another one, is not
//     added again, and tools with the same text share a document;
//   - leaves results that are not current out, and asks for more in their place ([Config.MaxFetch]);
//   - leaves documents that are no longer current in the store, unless [Config.Remove] says how to remove them.
//
// It works with any store whose metadata come back as they were given. Tested are PostgreSQL with pgvector and a store in
// memory.
//
// # What to know
//
//   - The store makes the vectors. Give it an embedder that is an embedding.Client: a search that has to ask for more
//     documents asks again with the same query, which only a client answers from memory, and only a client retries, checks
//     and rests.
//   - Scores are the store's, see [Config.Score]. Most stores give a cosine; those for AlloyDB and Cloud SQL give a distance.
//   - A search is as exact as the store. pgvector's compares all vectors of its table, in every collection.
//   - Who may see few of many tools has to be searched for among all of them: it takes several requests, the last for many
//     documents, and finds fewer results than there are if MaxFetch documents hold no more of theirs. Give each tenant with
//     tools of its own an Index with a [Config.Scope] of its own.
//   - pgvector's Store with a connection URL has a single connection, which cannot be used concurrently: give it a
//     pgxpool.Pool with WithConn, or set [Config.Concurrency] to 1.
//   - Two processes that start at once may both add a text. It is found once, but stored twice.
//   - Filters are written in the store's own language, see [Config.Filter]. pgvector puts them into SQL as they are; those of
//     an Index hold nothing but hexadecimal digits.
package vectorstore
