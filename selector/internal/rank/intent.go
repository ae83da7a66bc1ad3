package rank

import (
	"math"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

// An Intent is what a tool does to what it acts on.
type Intent uint8

const (
	Unknown Intent = iota
	Read
	Create
	Change
	Delete
	numIntents
)

// verbs are what tools are called.
var verbs = verbsOf([numIntents]string{
	Read: `get list search find read query fetch retrieve describe show view check lookup count browse inspect analyze analyse compare
		download export summary status info details explain history overview discover validate`,
	Create: `create add new insert generate make post send upload write register import publish schedule invite append copy
		duplicate clone submit reply save`,
	Change: `update edit set modify change rename move patch replace enable disable configure assign resize reset restore toggle
		upsert revise rotate approve merge close reopen transfer pause resume mute unmute unarchive sort format renew scale`,
	Delete: `delete remove clear revoke cancel archive purge unassign detach uninstall drop stop kill terminate destroy erase flush
		shutdown`,
})

// asks are how people ask for it, next to the verbs that tools have too. A verb that stands for several intents counts for each of
// them in part. Nouns that are verbs as well, such as file, note and pull, are left out.
var asks = asksOf([numIntents]string{
	Read: `show list find search tell look lookup check see read fetch display count compare explain summarize retrieve describe
		view know status details info which what who how where why many much any`,
	Create: `create add make new start write send post generate insert open book schedule invite upload register build draft
		publish drop copy put give leave log reply save tell`,
	Change: `update change edit rename move switch turn replace modify mark bump raise lower adjust correct fix restore enable
		disable assign convert set put flip give make let should stop pause cut`,
	Delete: `delete remove clear cancel revoke drop rid wipe erase throw kill stop archive purge kick quit off gone longer
		anymore cut shut`,
})

// questions are words with which a question begins.
var questions = setOf("is are was were do does did has have any")

// modals begin a question that asks for an action, and polite words may stand before its verb.
var (
	modals = setOf("can could would will may might please")
	polite = setOf("can could would will may might please i we you need want to like d id wed ll lets let us me kindly just also then and now so ok hey hi")
)

func verbsOf(words [numIntents]string) map[string]Intent {
	m := map[string]Intent{}
	for intent, list := range words {
		for _, w := range strings.Fields(list) {
			m[text.Stem(w)] = Intent(intent)
		}
	}
	return m
}

func asksOf(words [numIntents]string) map[string][]Intent {
	m := map[string][]Intent{}
	for intent, list := range words {
		for _, w := range strings.Fields(list) {
			m[text.Stem(w)] = append(m[text.Stem(w)], Intent(intent))
		}
	}
	for stem, intent := range verbs {
		if m[stem] == nil {
			m[stem] = []Intent{intent}
		}
	}
	return m
}

// IntentOf returns what the name of a tool says that it does: what the first verb in it does.
func IntentOf(name string) Intent {
	for _, w := range text.Words(nil, name) {
		if intent := verbs[text.Stem(w.Text)]; intent != Unknown {
			return intent
		}
	}
	return Unknown
}

// prior is how much of each intent a request has before its words are read.
const prior float32 = 0.3

// asked returns for each intent the logarithm of how much likelier it is to be asked for than by chance.
func (q *query) asked() (likelier [numIntents]float32) {
	var weight [numIntents]float32
	verb, action := false, false
	for i := range q.words {
		w := &q.words[i]
		if w.Quoted || w.Joined || w.data {
			continue
		}
		verb = verb || w.begins // the verb of the sentence is still to come
		action = action || w.begins && modals[w.Text]
		share := float32(1)
		if verb {
			share = 2
		}
		if w.begins && questions[w.Text] {
			weight[Read] += share
		} else if intents := asks[w.stem]; len(intents) > 0 {
			for _, i := range intents {
				weight[i] += share / float32(len(intents))
			}
		}
		verb = verb && polite[w.Text]
	}
	if !action && strings.Contains(q.text, "?") {
		weight[Read]++
	}
	total := float32(numIntents-1) * prior
	for i := Read; i < numIntents; i++ {
		total += weight[i]
	}
	for i := Read; i < numIntents; i++ {
		likelier[i] = float32(math.Log(float64((weight[i] + prior) / total * float32(numIntents-1))))
	}
	return likelier
}
