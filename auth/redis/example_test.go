package redis_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/redis"
)

func ExampleNew() {
	server := miniredis.NewMiniRedis() // stands for yours
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()

	// Whoever can read Redis cannot read tokens. The key has 32 random bytes and is the same for all processes.
	store, err := auth.Encrypt(redis.New(redis.Config{Client: client, Prefix: "agents"}), make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}
	if err := store.Save(ctx, key, []byte("refresh token"), 0); err != nil {
		fmt.Println(err)
		return
	}
	value, err := store.Load(ctx, key)
	fmt.Printf("%s %v\n", value, err)
	fmt.Println(server.Keys())
	// Output:
	// refresh token <nil>
	// [agents:value:token/acme/alice/github//]
}

func ExampleStore_Lock() {
	server := miniredis.NewMiniRedis() // stands for yours
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()
	store := redis.New(redis.Config{Client: client})

	ctx := context.Background()
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}
	unlock, err := store.Lock(ctx, key) // no other process has it now
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unlock()
	fmt.Println(store.Save(ctx, key, []byte("refreshed"), 0))
	// Output:
	// <nil>
}
