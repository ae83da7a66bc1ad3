package openapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/adapters/openapi"
)

const petstore = `
openapi: 3.1.0
info: {title: Petstore, version: 1.0.0}
paths:
  /pets:
    get:
      operationId: findPets
      summary: Find pets by their tags
      parameters:
        - name: tags
          in: query
          explode: false
          schema: {type: array, items: {type: string}}
      responses:
        "200":
          description: the pets
          content:
            application/json:
              schema: {type: array, items: {type: object}}
  /pets/{id}:
    delete:
      operationId: deletePet
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        "204": {description: it is gone}
`

// store stands for the API.
func store() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("API:", r.Method, r.RequestURI, r.Header.Get("Authorization"))
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `[{"id": 7, "name": "Rex"}]`)
	}))
}

// A document becomes a server, and its operations become tools.
func ExampleNewServer() {
	ctx := context.Background()
	api := store()
	defer api.Close()

	doc, err := openapi.Parse(ctx, []byte(petstore), nil)
	if err != nil {
		panic(err)
	}
	server, err := openapi.NewServer(doc, &openapi.Options{
		BaseURL: api.URL,
		Client:  api.Client(), // in production one that guards where it connects to
		Authorize: func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer token-of-the-user")
			return nil
		},
	})
	if err != nil {
		panic(err)
	}

	near, far := mcp.NewInMemoryTransports()
	if _, err := server.Connect(ctx, far, nil); err != nil {
		panic(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil).Connect(ctx, near, nil)
	if err != nil {
		panic(err)
	}
	defer session.Close()
	for _, call := range []*mcp.CallToolParams{
		{Name: "findPets", Arguments: map[string]any{"tags": []string{"good dog", "a,b"}}},
		{Name: "deletePet", Arguments: map[string]any{"id": 7}},
	} {
		res, err := session.CallTool(ctx, call)
		if err != nil {
			panic(err)
		}
		fmt.Println(res.IsError, res.Content[0].(*mcp.TextContent).Text)
	}
	// Output:
	// API: GET /pets?tags=good%20dog,a%2Cb Bearer token-of-the-user
	// false {"result":[{"id":7,"name":"Rex"}]}
	// API: DELETE /pets/7 Bearer token-of-the-user
	// true openapi: DELETE /pets/{id}: the API answered 403 Forbidden
}

// Operations tell what a document has before a server is made of it.
func ExampleParse() {
	doc, err := openapi.Parse(context.Background(), []byte(petstore), nil)
	if err != nil {
		panic(err)
	}
	for _, op := range doc.Operations() {
		fmt.Println(op.Name, op.Method, op.Path)
	}
	_, err = openapi.Parse(context.Background(), []byte(`{"swagger": "2.0"}`), nil)
	fmt.Println(err)
	// Output:
	// findPets GET /pets
	// deletePet DELETE /pets/{id}
	// openapi: parsing: the document is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1
}

// A tool's input schema holds the parameters by name.
func ExampleOptions_include() {
	ctx := context.Background()
	doc, err := openapi.Parse(ctx, []byte(petstore), nil)
	if err != nil {
		panic(err)
	}
	server, err := openapi.NewServer(doc, &openapi.Options{BaseURL: "https://pets.example.com", Include: []string{"delete*"}})
	if err != nil {
		panic(err)
	}
	near, far := mcp.NewInMemoryTransports()
	if _, err := server.Connect(ctx, far, nil); err != nil {
		panic(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil).Connect(ctx, near, nil)
	if err != nil {
		panic(err)
	}
	defer session.Close()
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			panic(err)
		}
		schema, _ := json.Marshal(tool.InputSchema)
		fmt.Println(tool.Name, *tool.Annotations.DestructiveHint, string(schema))
	}
	// Output:
	// deletePet true {"additionalProperties":false,"properties":{"id":{"type":"integer"}},"required":["id"],"type":"object"}
}

// Load reads a file or an https URL.
func ExampleLoad() {
	doc, err := openapi.Load(context.Background(), "testdata/pets30.yaml", nil)
	if err != nil {
		panic(err)
	}
	title, version := doc.Title()
	fmt.Println(title, version, len(doc.Operations()), "operations")
	// Output:
	// Pets 1.2.0 5 operations
}
