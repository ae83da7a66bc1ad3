package rank

import "strings"

// functionWords say nothing about which tool is meant: they hold a sentence together, or make it polite. Rare as some of them
// are in descriptions of tools, they would else outweigh what is asked for.
var functionWords = setOf(`
a about above actually after again against all also although always am an and any anybody anyone anything anyway are aren as at
back be because been before being below between both but by
can cannot cant could couldn couldnt did didn didnt do does doesn doesnt doing don dont done down during
each either else even ever every everybody everyone everything exactly few for from further
get gets getting give gives given go goes going gonna gone got had hadn has hasn have haven having he hello help hence her here
hers herself hey hi him himself his how however
i if im in instead into is isn isnt it its itself ive id ill just kind kindly know
let lets like likely ll lot lots make makes making many may maybe me might mine more most much must my myself
near need needed needing needs never no nobody none nor not nothing now
of off oh ok okay on once one ones only onto or other others otherwise our ours ourselves out over own
perhaps please pls put quite rather re really right
same shall she should shouldn since so some somebody someone something somewhere still such sure
take takes tell than thank thanks that thats the their theirs them themselves then there theres these they theyre thing things this those
though through thus till to together too toward towards
unless until up upon us ve very via
wanna want wanted wants was wasn wasnt way we well were weren weve what whats whatever when whenever where whether which while who
whoever whole whom whose why will with within without won wont would wouldn wouldnt
yes yet you your youre yours yourself yourselves s t d m`)

func setOf(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
