package lexical

// A Field is a part of a document. How much a word says depends on the field it stands in.
type Field uint8

const (
	Server Field = iota
	Name
	Title
	Description
	Category
	Params
	ParamDescriptions
	ServerDescription
	NumFields
)

// A Document is the text of each field.
type Document [NumFields]string

// Counts say how often a word stands in each field of a document; 255 stands for all that is more.
type Counts [NumFields]uint8

// DefaultWeights are the weights of the fields. What a tool is called says more than how it is described, parameters say
// what it acts on, and a server's description is shared by all of its tools. Quality hardly depends on the exact values.
var DefaultWeights = [NumFields]float32{
	Server: 1.5, Name: 2.5, Title: 1.5, Description: 1, Category: 1, Params: 0.7, ParamDescriptions: 0.5, ServerDescription: 0.2,
}

// DefaultB is how lengths count. Long descriptions match by chance, so that they count almost in full; long names and many
// parameters are as often a sign of a tool that says more exactly what it does.
var DefaultB = [NumFields]float32{
	Server: 0.75, Name: 0.5, Title: 0.75, Description: 0.8, Category: 0.75, Params: 0.5, ParamDescriptions: 0.5, ServerDescription: 0.8,
}

const defaultK1 = 1
