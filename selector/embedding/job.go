package embedding

import "context"

// A job is one batch of texts on its way to the embedder. Everyone who needs one of its texts waits for it. It outlives the
// caller who started it as long as another one waits, and is cancelled when nobody does.
type job struct {
	kind  kind
	keys  []key
	texts []string

	ctx     context.Context
	cancel  context.CancelCauseFunc
	waiters int // guarded by Client.mu

	// done is closed when vectors and errs are set: for each text one of them is not nil.
	done    chan struct{}
	vectors [][]float32
	errs    []*Error
}

// A flight is one text of a job.
type flight struct {
	job *job
	i   int
}

// newJob registers a batch of texts that nobody else has under way. c.mu is held.
func (c *Client) newJob(ctx context.Context, k kind, keys []key, texts []string) *job {
	j := &job{
		kind: k, keys: keys, texts: texts, done: make(chan struct{}),
		vectors: make([][]float32, len(texts)), errs: make([]*Error, len(texts)),
	}
	j.ctx, j.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	for i, key := range keys {
		c.flights[key] = flight{j, i}
	}
	c.jobs[j] = struct{}{}
	return j
}

// run asks for the texts of j and hands the vectors to those who wait.
func (c *Client) run(j *job) {
	defer j.cancel(nil)
	ctx := j.ctx
	if j.kind == query {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.cfg.QueryTimeout, &timeoutError{c.cfg.QueryTimeout})
		defer cancel()
	}
	spare := 0
	for n := len(j.texts); n > 1; n = (n + 1) / 2 {
		spare += 2 // enough to find one text at fault by halves
	}
	c.request(ctx, j, 0, len(j.texts), &spare)

	if j.kind == document && c.dir != nil {
		c.dir.put(j.keys, j.vectors)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.kind == query && j.vectors[0] != nil {
		c.recent.put(j.keys[0], j.vectors[0])
	}
	c.forget(j)
	close(j.done)
}

// leave ends a caller's wait for j.
func (c *Client) leave(j *job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.waiters--; j.waiters == 0 {
		j.cancel(context.Canceled)
		c.forget(j) // so that nobody joins what is cancelled
	}
}

// forget takes j out of what is under way. c.mu is held.
func (c *Client) forget(j *job) {
	for _, key := range j.keys {
		if c.flights[key].job == j {
			delete(c.flights, key)
		}
	}
	delete(c.jobs, j)
}
