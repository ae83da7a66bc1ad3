package rank

import "testing"

func TestToolsDoWhatTheirFirstVerbSays(t *testing.T) {
	for name, want := range map[string]Intent{
		"create_pull_request": Create, "listEvents": Read, "slack_update_message": Change, "TwilioApiV2010--DeleteStream": Delete,
		"get_update_history": Read, "pull_request": Unknown, "": Unknown,
	} {
		if got := IntentOf(name); got != want {
			t.Errorf("IntentOf(%q) = %d, want %d", name, got, want)
		}
	}
}

func TestRequestsAskForOneIntentMostly(t *testing.T) {
	for request, want := range map[string]Intent{
		"Which discounts have we set up in Stripe, and how much does each take off?": Read,
		"Is the 'delete user' job done?":                                             Read,
		"Could you remove Omar from the board?":                                      Delete,
		"I would like to rename the collection":                                      Change,
		"Start a new list called 'get started'":                                      Create,
		"please cancel my subscription":                                              Delete,
		"merge my pull request":                                                      Change,
		"The title should be 'List of members' from now on":                          Change,
	} {
		var q query
		q.analyse(request)
		asked := q.asked()
		for i := Read; i < numIntents; i++ {
			if i != want && asked[i] >= asked[want] {
				t.Errorf("%q asks for intent %d with %v, for %d with %v; want less", request, i, asked[i], want, asked[want])
			}
		}
	}
}

func TestARequestWithoutVerbsAsksForNothing(t *testing.T) {
	var q query
	q.analyse("argo storefront")
	if got := q.asked(); got != [numIntents]float32{} {
		t.Errorf("asked() = %v, want zeros", got)
	}
}
