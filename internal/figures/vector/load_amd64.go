package main

import "golang.org/x/sys/cpu"

// load256 and load512 read lines of 64 bytes from p on, as many as fit a whole number of turns.
//
//go:noescape
func load256(p *float32, lines int)

//go:noescape
func load512(p *float32, lines int)

// loads reads all of slab, whose length is a multiple of 128 floats, with the widest loads there are.
func loads(slab []float32) {
	if cpu.X86.HasAVX512F {
		load512(&slab[0], len(slab)/16)
		return
	}
	load256(&slab[0], len(slab)/16)
}

func loadBits() int {
	if cpu.X86.HasAVX512F {
		return 512
	}
	return 256
}
