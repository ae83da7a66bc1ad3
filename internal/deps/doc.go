// Package deps holds the repository to its own plan, and nothing but tests.
//
//   - floors_test.go: the floors of the house; a package imports only what lies below it.
//   - rules_test.go: the imports that are forbidden somewhere, each with the reason.
//   - requirements_test.go: the modules that the root go.mod may require directly, each with the reason.
//   - docs_test.go: links in documents lead somewhere, and the make targets they name exist.
//
// The imports are read from the source files of all modules of the repository, without building anything, so that the
// files of every operating system and of nested modules whose dependencies are not downloaded are seen too.
package deps
