package langchaingo

import (
	"fmt"

	"github.com/tmc/langchaingo/llms"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// LLMTools returns the definitions of tools for [llms.WithTools], in the same order, with their real input schemas as
// map[string]any (the only form that all of langchaingo's providers take): see [Parameters]. It returns an error for a nil
// tool, a name that agents cannot write and a name that comes twice.
func LLMTools(ts []*mcpgroup.Tool, opts *Options) ([]llms.Tool, error) {
	o := opts.resolved()
	if err := checkNames(ts, func(name string) string { return name }); err != nil {
		return nil, err
	}
	out := make([]llms.Tool, len(ts))
	for i, t := range ts {
		schema, losses := Parameters(t, o.Schema)
		description := headOnly(t.Description, o.MaxDescriptionBytes)
		if cut := len(t.Description) - len(description); cut > 0 {
			losses = append(losses, fmt.Sprintf("description: %d of %d bytes left out", cut, len(t.Description)))
		}
		if len(losses) > 0 && o.OnLoss != nil {
			o.OnLoss(t, losses)
		}
		out[i] = llms.Tool{Type: "function", Function: &llms.FunctionDefinition{
			Name: t.Name, Description: description, Parameters: schema,
		}}
	}
	return out, nil
}
