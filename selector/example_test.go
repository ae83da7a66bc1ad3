package selector_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mcpfleet/mcpfleet/selector"
)

// tools are what a catalogue might hold.
var tools = []selector.Document{
	{ID: "crm.find_customer", Server: "crm", Name: "find_customer", Description: "Finds a customer by name or number."},
	{ID: "crm.merge_customers", Server: "crm", Name: "merge_customers", Description: "Merges two records of one customer."},
	{ID: "mail.send", Server: "mail", Name: "send", Description: "Sends an e-mail."},
	{ID: "mail.list_folders", Server: "mail", Name: "list_folders", Description: "Lists the folders of the mailbox."},
	{ID: "billing.create_invoice", Server: "billing", Name: "create_invoice", Description: "Creates an invoice for a customer."},
	{ID: "weather.forecast", Server: "weather", Name: "forecast", Description: "Tells what the weather will be."},
}

func newSelector(opts *selector.Options) *selector.Selector {
	sel, err := selector.New(opts)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sel.Add(context.Background(), tools...); err != nil {
		log.Fatal(err)
	}
	return sel
}

func show(found *selector.Selection, err error) {
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range found.Tools {
		fmt.Println(t.Document.ID, t.Reason)
	}
}

func ExampleSelector_Select() {
	sel := newSelector(nil)
	show(sel.Select(context.Background(), selector.Query{
		Steps:    []string{"look the customer up", "write them an e-mail"},
		MaxTools: 2,
	}))
	// Unordered output:
	// crm.find_customer ranked
	// mail.send ranked
}

// A tool brings what it was declared to need.
func ExampleEdge() {
	sel := newSelector(&selector.Options{Edges: []selector.Edge{
		{From: "billing.create_invoice", To: "crm.find_customer", Kind: selector.DependsOn},
	}})
	show(sel.Select(context.Background(), selector.Query{Text: "make out an invoice", MaxTools: 2}))
	// Output:
	// billing.create_invoice ranked
	// crm.find_customer needed
}

// Whoever may see some of the tools gets what they would get if there were no others.
func ExampleNewSubset() {
	sel := newSelector(nil)
	show(sel.Select(context.Background(), selector.Query{
		Text:   "send an e-mail to a customer",
		Within: selector.NewSubset([]string{"weather.forecast"}),
	}))
	// Output:
	// weather.forecast ranked
}

func ExampleSelector_Replace() {
	sel := newSelector(nil)
	changed := append([]selector.Document(nil), tools[1:]...)
	changed[0].Description = "Merges two records of the same customer."
	changes, err := sel.Replace(context.Background(), changed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d updated, %d removed, %d unchanged, %d embedded\n", changes.Updated, changes.Removed, changes.Unchanged, changes.Embedded)
	// Output: 1 updated, 1 removed, 4 unchanged, 1 embedded
}
