// Package watch keeps a registry of MCP servers equal to its configuration file.
//
//	reg, err := mcpgroup.NewRegistry(nil)
//	defer reg.Close()
//	w, err := watch.File(ctx, reg, "mcp.json", &watch.Options{OnReload: report})
//	defer w.Close()
//
// [File] loads the file, and from then on whenever what it holds has changed. A reload is all or nothing (see
// [mcpgroup.Registry.Reload]): servers that did not change keep their sessions, calls under way end where they began, and a
// file that cannot be used changes nothing and is reported.
//
// # What is noticed
//
// The directories on the way to the file are watched, not the file: editors and deployment tools do not write it, they
// put another in its place. A file renamed over it, one that is deleted and comes back, a symbolic link that is pointed
// elsewhere (the file itself, as in a mounted Kubernetes ConfigMap, or a directory above it) and a file that is written in
// place are all noticed at once. Other files of these directories are not looked at.
//
// Changes are waited out: what comes within [Options.Debounce] of each other is one reload. Then the content decides, by
// its hash. A file that was only touched, or that has become again what it was, is not loaded.
//
// Independently of all that the file is read every [Options.Poll]: for network and container file systems that tell of no
// changes, for a parent directory that was moved, and where the system has run out of watches.
package watch
