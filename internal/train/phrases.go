package main

// Requests name what a tool does by other verbs than the tool does. A dictionary knows some of them; this is what the people
// who ask and the people who write interfaces are known to say for the same operation. The first of a line is what
// interfaces say, every other may stand for any of them.
const operations = `
create, add, insert, make, new, set up, put in, register, open, start, draft, spin up, whip up, write up, jot down, enter, build, generate, log
delete, remove, get rid of, drop, erase, wipe, clear, trash, throw away, scrap, take out, kill off, clean up, take down, nuke, discard, ditch
update, edit, modify, change, adjust, revise, set, bump, tweak, amend, correct, fix, alter, switch, turn into, replace, rewrite
increase, raise, bump, boost, scale up, extend, grow, lift
decrease, lower, reduce, cut, scale down, shrink, shorten
get, fetch, read, retrieve, show, look up, pull up, give, tell, check, view, see, display, bring up, what is, dig out, load, grab, return, describe, details
list, show all, enumerate, which, what are there, go through, every, all, give overview, index, browse
search, find, look for, query, look up, locate, hunt for, track down, discover, dig up, where is, seek
filter, narrow down, only, restrict, those that
send, deliver, email, mail, message, notify, tell, let know, write to, drop a line, ping, forward, shoot, pass on
post, publish, share, announce, put up, release, make public, go live
reply, answer, respond, write back, get back to
upload, attach, put up, send file, add file, import
download, save, export, pull down, fetch file, get copy
copy, duplicate, clone, replicate, mirror, fork
move, transfer, relocate, shift, migrate, bring over, carry over
rename, retitle, change name, call it, relabel
assign, give to, hand to, delegate, put in charge, allocate, make responsible
unassign, take off, take away from
invite, add member, bring in, give access, let in, onboard, join
kick, remove member, revoke access, throw out, ban, lock out, offboard
grant, allow, permit, give permission, authorize, let, approve
revoke, deny, forbid, withdraw, take back, disallow, block
approve, accept, sign off, confirm, agree, okay, give green light
reject, decline, refuse, turn down, deny, dismiss
close, finish, complete, resolve, mark done, end, wrap up, conclude, tick off, check off
reopen, open again, bring back, resume, restart
archive, put away, shelve, store, retire, mothball
restore, recover, undo, undelete, bring back, roll back, revert, reinstate
enable, turn on, activate, switch on, start, unmute
disable, turn off, deactivate, switch off, suspend, pause, mute, stop
run, execute, trigger, launch, start, kick off, fire, invoke, perform, do
stop, cancel, abort, kill, halt, terminate, call off, interrupt
restart, reboot, reset, cycle, bounce
deploy, ship, roll out, release, push, put live, publish
merge, combine, join, unite, bring together, consolidate
split, divide, separate, break up, cut
compare, diff, difference, contrast, tell apart, versus, changes between
count, how many, number of, total, tally
calculate, compute, work out, figure out, sum, how much, determine
convert, transform, turn into, translate, change to, encode
analyze, analyse, examine, inspect, investigate, study, look into, review, assess, evaluate
summarize, sum up, digest, brief, recap, outline, gist
validate, verify, check, make sure, test, prove, confirm, lint
monitor, watch, track, keep an eye on, follow, observe
schedule, plan, book, arrange, set a time, put on calendar, fix a date
reschedule, postpone, move, delay, put off, push back
book, reserve, order, get a seat
buy, purchase, order, pay for, acquire
pay, charge, bill, settle, transfer money
refund, give money back, pay back, reimburse, credit
subscribe, follow, sign up, watch, get updates
unsubscribe, unfollow, opt out, stop following
comment, remark, note, annotate, leave a note, say something
label, tag, mark, flag, categorize, classify
rate, score, review, rank, give stars
like, react, favorite, star, upvote, bookmark, heart
connect, link, attach, associate, relate, hook up, bind, tie
disconnect, unlink, detach, separate, dissociate
sync, synchronize, refresh, update, bring up to date
sort, order, rank, arrange
lock, freeze, protect, secure
unlock, unfreeze, open, release
encrypt, cipher, protect, hash
draw, plot, chart, graph, visualize, diagram, render, picture
click, press, tap, hit, push
type, enter, fill in, input, write, key in
scroll, page, move down
navigate, go to, open, visit, browse to, head to
take screenshot, capture, snapshot, picture of
play, start, listen, stream
pause, hold, suspend, halt
translate, in another language, say in
predict, forecast, expect, estimate, what will
recommend, suggest, propose, advise, ideas for
explain, describe, clarify, tell about, what does
backup, save copy, snapshot, dump
install, set up, add, get
uninstall, remove, get rid of
configure, set up, settings, adjust, customize, prepare
join, enter, take part, attend
leave, quit, exit, depart
pin, stick, keep on top, fix
measure, metrics, statistics, how well, performance, usage
`

// The same for things.
const things = `
issue, ticket, bug, problem, defect, task, work item, incident
task, to-do, item, job, chore, action item
user, member, person, people, account, colleague, who
team, group, department, crew, squad
customer, client, buyer, shopper, account
contact, person, lead, address book entry
message, note, mail, text, chat, dm
email, mail, message, inbox
file, document, attachment, doc
folder, directory, drive
image, picture, photo, graphic, screenshot
video, clip, movie, recording, footage
channel, room, chat, thread, conversation
repository, repo, project, codebase, source code
pull request, merge request, pr, mr, change
branch, line of development, version
commit, change, revision
page, article, document, wiki, site
database, db, data store, table, data
table, sheet, grid, list
record, row, entry, item
column, field, attribute, property
spreadsheet, sheet, workbook, excel
calendar, schedule, agenda, diary
event, meeting, appointment, call
invoice, bill, receipt, charge
payment, transaction, charge, transfer, money
subscription, plan, membership
product, item, article, goods, sku
order, purchase, sale
price, cost, quote, rate, how much
stock, share, equity, ticker
weather, temperature, rain, forecast, sunny
location, place, address, where, position, coordinates
route, directions, way, path, how to get to
flight, plane, trip, airline
hotel, accommodation, place to stay, lodging, room
restaurant, place to eat, diner, food
server, machine, host, instance, box, vm
container, pod, docker
cluster, nodes
deployment, release, rollout
log, trace, output, history
error, exception, crash, failure, problem
alert, alarm, warning, notification
metric, measure, number, statistic, kpi
dashboard, overview, report, board
password, secret, credential, login
key, token, secret
permission, access, right, role
role, admin, privilege, rights
setting, option, preference, configuration
workflow, pipeline, automation, process, job
schedule, cron, timetable
comment, remark, feedback, reply
label, tag, category
status, state, progress, where things stand
history, past, log, previous, earlier
list, collection, set
template, blueprint, boilerplate
form, survey, questionnaire
response, answer, submission, reply
campaign, newsletter, mailing
post, tweet, article, status update
song, track, music, tune
book, novel, title
recipe, dish, meal, cooking
news, headlines, articles, stories
domain, website, url, site, dns
browser, tab, window, web page
element, button, field, link
rule, restriction, policy, protection
quota, limit, allowance
balance, funds, money, credit
expense, cost, spending
employee, staff, worker, colleague
candidate, applicant, job seeker
job, position, vacancy, opening
`

// What surrounds a request and says nothing about the tool.
const chatter = `
please; can you; could you; would you; i need to; i want to; i would like to; we need to; help me; i am trying to; let us; go ahead and;
hey; hi there; thanks; thank you; cheers; quick one; quick question; by the way; also; and then; after that; first; finally; as well; too;
for me; for us; for my team; for our company; in our workspace; on our account; at work; in my project; of ours; of mine; from my side;
right now; today; tomorrow; yesterday; last week; this month; next monday; by friday; since january; before noon; tonight; this morning; asap;
as soon as possible; when you get a chance; no rush; urgently; in the next hour; the other day; recently; lately; so far; any more; still;
i forgot; i think; i believe; it seems; apparently; as you know; management wants; the client asked; someone told me; we decided; i noticed;
so that; because; since; before the meeting; for the presentation; for the audit; in case; to be safe; if possible; unless;
the one called; named; with id; number; with the title; that says; labelled; under; in the; from the; on the; of the; at the; it should; there is; there was;
what is; what are; do we have; is there; are there; show me; tell me; give me; let me know; i wonder; any idea; how about; which ones; who has;
do you know; do you mind; is it possible to; i was wondering if; it would be great if; make sure that; feel free to; just; maybe; actually; really; only; exactly; quickly; carefully; simply; probably; already; again; instead; whatever; something like; stuff; things; details; everything; anything; nothing else; in total; in detail; step by step; one by one; in one go; at once; briefly; roughly;
i have; i've got; we've got; we are planning; i am working on; i am writing; i am preparing; i am looking for; i am interested in; we are about to; my friend; my colleague; my manager; my sister; our customer; our new; the whole team; everyone; someone; nobody; they; he; she; her; his; their; it; this one; that one; these; those; the same; another; the latest; the first; the last; the new; the old; the right; the wrong; main; current; big; small; important; good; best; great; nice;
use; using; with the help of; through; based on; according to; related to; regarding; about; concerning; including; without; between; against; around; over; under; more than; less than; at least; up to; about two; three; four; five; ten; dozen; hundred; thousand; half; both; all of them; each of them; either; a few; several; some; many; a couple of;
tell me what you find; then tell me; report back; what happened; how it went; how things are going; why; when; where; how long; how often; how come; whether; if so; otherwise; otherwise leave it; not sure; don't touch; leave the rest; keep; without changing; except; but; however; although; while; until; once; during; meanwhile; ahead of; later; soon; ago; since then; every day; every week; weekly; monthly; daily; evening; weekend; quarter; year; hours; minutes; days; weeks;
alice; bob; anita; robert; maria; john; sarah; ahmed; wei; elena; david; anna; carlos; yuki; fatima; peter; julia; omar; nina; lucas; emma; ivan; chloe; raj; mia; michael; jennifer; james; linda; robert; laura; daniel; sofia; hassan; aisha; kenji; mei; olga; pierre; hans; ingrid; diego; lucia; mark; susan; steve; kate; paul; amy; jack; lily; max; leo; zoe; eva; noah; liam; olivia; grace; henry; sam; alex; chris; jordan; taylor;
smith; garcia; johnson; mueller; kim; nguyen; patel; rossi; silva; kowalski; andersson; dubois; tanaka; acme; globex; initech; contoso; northwind; umbrella; riverside; sunset; blue; project x;
berlin; london; paris; tokyo; new york; madrid; sydney; toronto; mumbai; chicago; amsterdam; lagos; january; march; may; june; september; october; december; monday; wednesday; thursday; sunday
`
