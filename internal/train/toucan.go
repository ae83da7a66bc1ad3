package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A server is what is known of an MCP server besides its tools.
type server struct {
	about string // what it is for, in several sentences
}

// readToucan reads the server definitions of the Toucan data set, which is one file per server in the directory
// mcp_servers of its repository. Tools come in the order of the files; of those with the same server and name only the first
// counts.
func readToucan(dir string) ([]*tool, map[string]*server, error) {
	files, err := filepath.Glob(filepath.Join(dir, "mcp_servers", "*.json")) // sorted
	if err != nil || len(files) == 0 {
		return nil, nil, fmt.Errorf("train: no *.json files in %s", filepath.Join(dir, "mcp_servers"))
	}
	var tools []*tool
	servers := map[string]*server{}
	known := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("train: %w", err)
		}
		var definition struct {
			Labels struct {
				Analysis  string   `json:"analysis"`
				Primary   string   `json:"primary_label"`
				Secondary []string `json:"secondary_labels"`
				Custom    string   `json:"custom_label"`
			} `json:"labels"`
			Metadata struct {
				Name   string `json:"server_name"`
				Remote struct {
					Tools []*tool `json:"tools"`
				} `json:"remote_server_response"`
				Crawled struct {
					Overview string `json:"overview"`
					Tools    []struct {
						Name        string `json:"name"`
						Description string `json:"description"`
					} `json:"tools"`
				} `json:"server_info_crawled"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(b, &definition); err != nil {
			return nil, nil, fmt.Errorf("train: %s: %w", file, err)
		}
		m := &definition.Metadata
		all := m.Remote.Tools // as its tools/list answered
		if len(all) == 0 {
			for _, t := range m.Crawled.Tools { // as a web page describes them; the parameters given there are often wrong
				all = append(all, &tool{Name: t.Name, Description: undecorated(t.Description)})
			}
		}
		for _, t := range all {
			t.Server = m.Name
			t.ID = t.Server + "::" + t.Name
			if known[t.ID] {
				continue
			}
			known[t.ID] = true
			tools = append(tools, t)
		}
		if servers[m.Name] == nil {
			l := &definition.Labels
			kinds := l.Primary + " " + strings.Join(l.Secondary, " ") + " " + l.Custom
			servers[m.Name] = &server{about: m.Crawled.Overview + "\n\n" + l.Analysis + "\n\n" + kinds}
		}
	}
	return tools, servers, nil
}

// undecorated returns "" for what is the surroundings of a description that the page did not have.
func undecorated(description string) string {
	if strings.HasPrefix(description, "Deploy Server ") && strings.Contains(description, " Try in Playground ") {
		return ""
	}
	return description
}
