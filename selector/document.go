package selector

// A Document is what the selector knows of a tool. Its texts may be of any length; it is found by the first 16,384 bytes of
// each.
type Document struct {
	// ID identifies the document. Required; at most 512 bytes.
	ID string
	// Ref is the name under which edges, pins and observations know the tool. The default is ID. Several documents may have
	// the same Ref: one tool as different users see it. A [Subset] should hold one of them.
	Ref string
	// Server is the server that offers the tool, such as "github".
	Server string
	// ServerDescription says what the server is for. It helps to find all of its tools.
	ServerDescription string
	// Category is the group that the server or tool belongs to, such as "development".
	Category string
	// Name is what a model calls the tool. Required.
	Name string
	// Title is the name for people.
	Title string
	// Description is for the model.
	Description string
	// Params are the parameters. The default are those of Schema.
	Params []Param
	// Schema is the JSON Schema of the arguments. It is not copied, and must not be changed.
	Schema map[string]any
	// Tokens is what the tool costs a model to read. The default is the count of [Options.Counter].
	Tokens int
	// Labels are free marks to filter by.
	Labels []string
}

// A Param is one parameter of a tool.
type Param struct {
	Name        string
	Description string
}
