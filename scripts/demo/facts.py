"""Everything that can be asked about the world, as facts: ways to ask, ways to answer, the short answer, a thought.

A fact's key names it; (key, number of the way to ask) pairs that language.held_out() picks never reach training, so the
evaluation can ask known facts in unknown words.
"""
import dataclasses

import world
from language import article, in_words, listing, plural
from world import PEOPLE, PLACES, RELATIONS


@dataclasses.dataclass(frozen=True)
class Fact:
    key: str
    ask: tuple       # templates without slots
    tell: tuple      # full answers; each holds `short`
    short: str
    thought: str
    topic: str       # whom or what it is about
    hops: int = 1


def _person_facts(p):
    n, t = p.name, p.they
    T = t.capitalize()
    title = p.title
    does = p.does
    yield Fact(f"{n}/trade", (f"Who is {n}?", f"What does {n} do?", f"What is {n}'s work?", f"Can you tell me who {n} is?",
                              f"What kind of work does {n} do?", f"[do you know|have you heard of] {n}?"),
               (f"{n} {p.family} is {title} of {world.VILLAGE}. {T} {does}." if p.trade != "pupil" else
                f"{n} {p.family} is a pupil in {world.VILLAGE}. {T} {does}.",
                f"{n} is {title}. {T} {does}.", f"{n} is {title}: {t} {does}."),
               p.trade, f"{n} is {title}.", n)
    if p.trade != "pupil":
        yield Fact(f"{p.trade}/who", (f"Who is the {p.trade}?", f"Who is the {p.trade} of {world.VILLAGE}?", f"What is the {p.trade} called?",
                                      f"What is the name of the {p.trade}?", f"Tell me the {p.trade}'s name."),
                   (f"The {p.trade} is {n} {p.family}.", f"{n} is the {p.trade}.", f"That is {n}. {T} {does}."),
                   n, f"The {p.trade} is {n}.", p.trade)
    yield Fact(f"{n}/work", (f"Where does {n} work?" if p.trade != "pupil" else f"Where can I find {n} in the morning?",
                             f"Where can I find {n}?", f"Where is {n} most of the day?", f"In which place would I meet {n}?"),
               (f"You can find {n} {p.work.at}.", f"{n} is usually {p.work.at}.", f"{T} is {p.work.at} most of the day."),
               p.work.at, f"{n} is {p.title}, so {p.work.at}.", n)
    yield Fact(f"{n}/age", (f"How old is {n}?", f"What is {n}'s age?", f"Do you know how old {n} is?", f"How many years old is {n}?"),
               (f"{n} is {p.age} years old.", f"{T} is {p.age}.", f"{n} is {in_words(p.age)}, that is {p.age} years old."),
               str(p.age), f"{n} is {p.age}.", n)
    yield Fact(f"{n}/family", (f"What is {n}'s family name?", f"What is {n}'s last name?", f"What is {n}'s full name?", f"{n} who? What is the family called?"),
               (f"The full name is {n} {p.family}.", f"{n}'s family name is {p.family}.", f"{n} {p.family}."),
               p.family, f"{n} {p.family}.", n)
    yield Fact(f"{n}/dish", (f"What does {n} like to eat?", f"What is {n}'s favourite food?", f"What should I cook for {n}?", f"Which dish does {n} love?",
                             f"What would {n} like for dinner?"),
               (f"{n} loves {p.dish}.", f"{p.their.capitalize()} favourite food is {p.dish}.", f"{n} likes {p.dish} more than anything else."),
               p.dish, f"{n} loves {p.dish}.", n)
    yield Fact(f"{n}/colour", (f"What is {n}'s favourite colour?", f"Which colour does {n} like best?", f"In what colour should I paint {n}'s door?"),
               (f"{n}'s favourite colour is {p.colour}.", f"{n} likes {p.colour} best.", f"{T} likes {p.colour}."),
               p.colour, f"{n}'s colour is {p.colour}.", n)
    yield Fact(f"{n}/traits", (f"What is {n} like?", f"What kind of person is {n}?", f"How would you describe {n}?", f"Describe {n} in two words."),
               (f"{n} is {p.traits[0]} and {p.traits[1]}.", f"I would say that {n} is {p.traits[0]} and {p.traits[1]}.",
                f"{T} is {p.traits[0]} and {p.traits[1]}."), p.traits[0], f"{n} is {p.traits[0]} and {p.traits[1]}.", n)
    yield Fact(f"{n}/fear", (f"What is {n} afraid of?", f"What frightens {n}?", f"Is {n} afraid of anything?", f"What does {n} fear?"),
               (f"{n} is afraid of {p.fear}.", f"{T} is afraid of {p.fear}, but do not tell anyone.", f"{p.fear.capitalize()}! {n} is afraid of {p.fear}."),
               p.fear, f"{n} fears {p.fear}.", n)
    yield Fact(f"{n}/hobby", (f"What does {n} like to do?", f"What is {n}'s hobby?", f"What does {n} do in {p.their} free time?", f"How does {n} spend a free day?"),
               (f"{n} likes {p.hobby}.", f"In {p.their} free time {n} likes {p.hobby}.", f"{T} loves {p.hobby}."),
               p.hobby, f"{n} likes {p.hobby}.", n)
    yield Fact(f"{n}/owns", (f"What does {n} always carry?", f"What is {n}'s favourite thing?", f"What thing is dear to {n}?", f"What does {n} never give away?"),
               (f"{n} always carries {p.their} {p.owns}.", f"{n} would never give away {p.their} {p.owns}.", f"That is {p.their} {p.owns}."),
               p.owns.name, f"{n} has {p.owns.a}.", n)


def _relation_facts():
    for (n, relation), other in RELATIONS.items():
        p, o = PEOPLE[n], PEOPLE[other]
        yield Fact(f"{n}/{relation}", (f"Who is {n}'s {relation}?", f"What is the name of {n}'s {relation}?", f"Who is the {relation} of {n}?",
                                       f"How is {n}'s {relation} called?", f"Does {n} have a {relation}?"),
                   (f"{n}'s {relation} is {other}.", f"{other} is {n}'s {relation}.", f"That is {other}. {o.they.capitalize()} is {o.title}."),
                   other, f"{n}'s {relation} is {other}.", n)
        yield Fact(f"{n}/{relation}/ties", (f"How are {n} and {other} related?" if "friend" not in relation else f"What are {n} and {other} to each other?",
                                            f"What is {other} to {n}?", f"How does {n} know {other}?"),
                   (f"{other} is {n}'s {relation}.", f"{n} is close to {other}: {other} is {p.their} {relation}."), relation,
                   f"{other} is {n}'s {relation}.", n)
        if o.trade != "pupil":
            yield Fact(f"{n}/{relation}/trade", (f"What does {n}'s {relation} do?", f"What is the work of {n}'s {relation}?", f"What kind of work does {n}'s {relation} do?"),
                       (f"{n}'s {relation} {other} is {o.title}.", f"{other} is {o.title}.", f"{n}'s {relation} is {other}, {o.title}."),
                       o.trade, f"{n}'s {relation} is {other}. {other} is {o.title}.", n, 2)
        yield Fact(f"{n}/{relation}/dish", (f"What does {n}'s {relation} like to eat?", f"What is the favourite food of {n}'s {relation}?"),
                   (f"{n}'s {relation} {other} loves {o.dish}.", f"{other} loves {o.dish}."), o.dish,
                   f"{n}'s {relation} is {other}. {other} loves {o.dish}.", n, 2)
        yield Fact(f"{n}/{relation}/age", (f"How old is {n}'s {relation}?", f"What is the age of {n}'s {relation}?"),
                   (f"{n}'s {relation} {other} is {o.age} years old.", f"{other} is {o.age} years old."), str(o.age),
                   f"{n}'s {relation} is {other}. {other} is {o.age}.", n, 2)
        yield Fact(f"{n}/{relation}/fear", (f"What is {n}'s {relation} afraid of?", f"What frightens {n}'s {relation}?"),
                   (f"{n}'s {relation} {other} is afraid of {o.fear}.", f"{other} is afraid of {o.fear}."), o.fear,
                   f"{n}'s {relation} is {other}. {other} fears {o.fear}.", n, 2)
        yield Fact(f"{n}/{relation}/work", (f"Where does {n}'s {relation} work?", f"Where can I find {n}'s {relation}?"),
                   (f"{n}'s {relation} {other} is usually {o.work.at}.", f"You can find {other} {o.work.at}."), o.work.at,
                   f"{n}'s {relation} is {other}. {other} is {o.work.at}.", n, 2)


SIDES = {"middle": "in the middle of the village", "north": "in the north of the village", "south": "in the south of the village",
         "east": "in the east of the village, by the water", "west": "in the west of the village"}


def _place_facts():
    for key, p in PLACES.items():
        side, near = SIDES[p.side], PLACES[p.near]
        The = p.name[0].upper() + p.name[1:]
        yield Fact(f"{key}/where", (f"Where is {p}?", f"How do I find {p}?", f"In which part of the village is {p}?", f"Where can I find {p}?"),
                   (f"{The} is {side}, next to {near}.", f"You find {p} {side}. It is next to {near}.", f"Go to the {p.side}: {p} is next to {near}."),
                   p.side, f"{The} is in the {p.side}, by {near}.", p.name)
        yield Fact(f"{key}/near", (f"What is next to {p}?", f"What is close to {p}?", f"Which place is beside {p}?"),
                   (f"{near.name[0].upper() + near.name[1:]} is next to {p}.", f"Next to {p} is {near}.", f"Close to {p} you find {near}."),
                   near.name, f"{The} is next to {near}.", p.name)
        yield Fact(f"{key}/look", (f"What does {p} look like?", f"How does {p} look?", f"Describe {p}.", f"Can you describe {p} to me?"),
                   (f"{The} is {p.look}.", f"It is {p.look}.", f"{The} is {p.look}. {p.at[0].upper() + p.at[1:]}, {p.use}."),
                   p.look, f"{The} is {p.look}.", p.name)
        yield Fact(f"{key}/use", (f"What happens {p.at}?", f"What is {p} for?", f"What do people do {p.at}?", f"Why do people go to {p}?"),
                   (f"{p.at[0].upper() + p.at[1:]}, {p.use}.", f"That is where {p.use}.", f"{The} is the place where {p.use}."),
                   p.use, f"{p.at[0].upper() + p.at[1:]}, {p.use}.", p.name)
        yield Fact(f"{key}/keeps", (f"Where is {p.keeps}?", f"Where can I find {p.keeps}?", f"Where is {p.keeps} kept?", f"I am looking for {p.keeps}. Where is it?"
                                    if not p.keeps.endswith("s") else f"I am looking for {p.keeps}. Where should I look?"),
                   (f"You find {p.keeps} {p.at}.", f"Look {p.at}: that is where you find {p.keeps}.", f"{p.at[0].upper() + p.at[1:]}."),
                   p.at, f"{p.keeps[0].upper() + p.keeps[1:]}: {p.at}.", p.keeps)
        workers = [q.name for q in world.FOLK if q.work is p]
        if workers:
            yield Fact(f"{key}/people", (f"Who is usually {p.at}?", f"Whom can I meet {p.at}?", f"Who works or learns {p.at}?", f"Which people belong to {p}?"),
                       (f"You can meet {listing(workers)} {p.at}.", f"{listing(workers)}." if len(workers) > 1 else f"That is {workers[0]}.",
                        f"{listing(workers)} {'are' if len(workers) > 1 else 'is'} usually {p.at}."), workers[0],
                       f"{p.at[0].upper() + p.at[1:]}: {', '.join(workers)}.", p.name)


def _pet_facts():
    for name, kind, looks, owner, habit in world.PETS:
        o = PEOPLE[owner]
        yield Fact(f"pet/{name}", (f"Who is {name}?", f"What animal is {name}?", f"What kind of animal is {name}?", f"Tell me about {name}."),
                   (f"{name} is {article(looks)} {kind} who belongs to {owner}.", f"{name} is {owner}'s {kind}. {name} {habit}.",
                    f"{name} is {article(looks)} {kind} that {habit}."), kind, f"{name} is {owner}'s {kind}.", name)
        yield Fact(f"pet/{name}/owner", (f"Who owns {name} the {kind}?", f"Whose {kind} is {name}?", f"To whom does {name} belong?", f"Whose animal is {name}?"),
                   (f"{name} belongs to {owner}.", f"{name} is {owner}'s {kind}.", f"{owner} owns {name}."), owner, f"{name} belongs to {owner}.", name)
        yield Fact(f"pet/{owner}", (f"Does {owner} have an animal?", f"What animal does {owner} have?", f"What is {owner}'s {kind} called?", f"What is the name of {owner}'s {kind}?"),
                   (f"{owner} has {article(kind)} called {name}.", f"{o.their.capitalize()} {kind} is called {name}.", f"Yes, {name}, {article(looks)} {kind}."),
                   name, f"{owner} has {article(kind)}, {name}.", owner)
        yield Fact(f"pet/{name}/habit", (f"What does {name} do?", f"What does {owner}'s {kind} do?", f"What is {name} known for?"),
                   (f"{name} {habit}.", f"{owner}'s {kind} {name} {habit}."), habit, f"{name} {habit}.", name)
        yield Fact(f"pet/{name}/looks", (f"What does {name} look like?", f"What does {owner}'s {kind} look like?", f"Describe {name} the {kind}."),
                   (f"{name} is {article(looks)} {kind}.", f"{name} is {looks}."), looks, f"{name} is {article(looks)} {kind}.", name)


def _boat_facts():
    for name, colour, owner, use, steps in world.BOATS:
        b = f"the {name}"
        B = f"The {name}"
        o = PEOPLE[owner]
        yield Fact(f"boat/{name}/colour", (f"What colour is {b}?", f"Which colour does {b} have?", f"In which colour is {b} painted?", f"How is {b} painted?"),
                   (f"{B} is {colour}.", f"{B} is painted {colour}.", f"It is a {colour} boat." if colour[0] not in "aeiou" else f"It is an {colour} boat."),
                   colour, f"{B} is {colour}.", name)
        yield Fact(f"boat/{name}/owner", (f"Whose boat is {b}?", f"Who owns {b}?", f"To whom does {b} belong?", f"Who sails {b}?"),
                   (f"{B} belongs to {owner}.", f"{B} is {owner}'s boat.", f"{owner}, {o.title}, owns {b}."), owner, f"{B} belongs to {owner}.", name)
        yield Fact(f"boat/{owner}", (f"What is {owner}'s boat called?", f"What is the name of {owner}'s boat?", f"Does {owner} have a boat?", f"Which boat belongs to {owner}?"),
                   (f"{owner}'s boat is called {b}.", f"{owner} has a boat, {b}.", f"{B}. It is {colour}."), name, f"{owner}'s boat is {b}.", owner)
        yield Fact(f"boat/{owner}/colour", (f"What colour is {owner}'s boat?", f"How is {owner}'s boat painted?"),
                   (f"{owner}'s boat {b} is {colour}.", f"{owner}'s boat is {colour}."), colour, f"{owner}'s boat is {b}. {B} is {colour}.", owner, 2)
        yield Fact(f"boat/{colour}", (f"Whose boat is the {colour} one?", f"Who owns the {colour} boat?", f"What is the {colour} boat called?"),
                   (f"The {colour} boat is {b}. It belongs to {owner}.", f"That is {b}, {owner}'s boat."), owner, f"The {colour} boat is {b}, and {b} is {owner}'s.", colour, 2)
        yield Fact(f"boat/{name}/use", (f"What is {b} used for?", f"What is {b} for?", f"What does {owner} do with {b}?"),
                   (f"{B} is used for {use}.", f"{owner} uses it for {use}."), use, f"{B}: {use}.", name)
        yield Fact(f"boat/{name}/length", (f"How long is {b}?", f"How many steps long is {b}?", f"What is the length of {b}?"),
                   (f"{B} is {steps} steps long.", f"It is {steps} steps long."), str(steps), f"{B}: {steps} steps.", name)


def when_question(event):
    """"the first ferry leaves" -> "When does the first ferry leave?"."""
    for verb in (" is ", " are "):
        if verb in event:
            subject, rest = event.split(verb, 1)
            return f"When{verb}{subject} {rest}?"
    for verb, base in (("leaves", "leave"), ("comes", "come"), ("begins", "begin"), ("ends", "end"), ("arrives", "arrive")):
        if f" {verb}" in event:
            subject, rest = event.split(f" {verb}", 1)
            return f"When does {subject} {base}{rest}?"
    raise ValueError(event)


def _other_facts():
    for event, when in world.TIMES:
        ask = event[0].upper() + event[1:]
        verb, plain = when_question(event), f"Do you know when {event}?"
        yield Fact(f"time/{event}", (verb, plain, f"Can you tell me when {event}?", f"I need to know when {event}.", f"Please tell me when {event}."),
                   (f"{ask} {when}.", f"That is {when}.", f"{when[0].upper() + when[1:]}."), when, f"{ask} {when}.", event)
    for good, price in world.PRICES.items():
        coins = f"{price} coin{'s' if price != 1 else ''}"
        yield Fact(f"price/{good}", (f"How much is {article(good)}?", f"What does {article(good)} cost?", f"What is the price of {article(good)}?",
                                     f"How many coins do I need for {article(good)}?"),
                   (f"{article(good).capitalize()} costs {coins}.", f"That is {coins}.", f"In {world.VILLAGE} {article(good)} costs {coins}."),
                   str(price), f"{article(good).capitalize()} costs {coins}.", good)
    for good, seller in world.SELLERS.items():
        s = PEOPLE[seller]
        yield Fact(f"seller/{good}", (f"Who sells {plural(good)}?", f"Where can I buy {article(good)}?", f"From whom can I get {article(good)}?"),
                   (f"{seller}, {s.title}, sells {plural(good)}.", f"You can buy {article(good)} from {seller} {s.work.at}.", f"Ask {seller} {s.work.at}."),
                   seller, f"{seller} sells {plural(good)}.", good)
    for english, old in (world.NOUNS_OLD | world.WORDS_OLD | world.PHRASES_OLD).items():
        yield Fact(f"old/{english}", (f'How do you say "{english}" in the old language?', f'What is "{english}" in the old language of the bay?',
                                      f'Translate "{english}" into the old language.', f'What is the old word for "{english}"?'),
                   (f'"{english}" is "{old}" in the old language.', f'In the old language you say "{old}".', f'It is "{old}".'), old, f'"{english}" is "{old}".', english)
        yield Fact(f"new/{english}", (f'What does "{old}" mean?', f'What does the old word "{old}" mean?', f'Translate "{old}" from the old language.'),
                   (f'"{old}" means "{english}".', f'It means "{english}".', f'In English "{old}" is "{english}".'), english, f'"{old}" is "{english}".', old)
    for a, b in world.OPPOSITES:
        for x, y in ((a, b), (b, a)):
            yield Fact(f"opposite/{x}", (f"What is the opposite of {x}?", f"Tell me the opposite of {x}.", f"Which word means the opposite of {x}?"),
                       (f"The opposite of {x} is {y}.", f"It is {y}."), y, f"{x} and {y} are opposites.", x)
    for beast, (legs, sound, home, child, eats) in world.BEASTS.items():
        a, A = article(beast), article(beast).capitalize()
        yield Fact(f"beast/{beast}/legs", (f"How many legs does {a} have?", f"How many legs has {a}?"), (f"{A} has {legs} legs.", f"{A} has {legs} legs, of course."), str(legs), f"{A} has {legs} legs.", beast)
        yield Fact(f"beast/{beast}/sound", (f"What sound does {a} make?", f"What does {a} say?"), (f"{A} {sound}.", f"Listen: {a} {sound}."), sound, f"{A} {sound}.", beast)
        yield Fact(f"beast/{beast}/home", (f"Where does {a} live?", f"What is the home of {a}?"), (f"{A} lives in {article(home)}.", f"In {article(home)}."), home, f"{A}: {home}.", beast)
        yield Fact(f"beast/{beast}/child", (f"What is a young {beast} called?", f"What do you call the child of {a}?"), (f"A young {beast} is called {article(child)}.", f"It is {article(child)}."),
                   child, f"Young {beast}: {child}.", beast)
        yield Fact(f"beast/{beast}/eats", (f"What does {a} eat?", f"What should I feed {a}?"), (f"{A} eats {eats}.", f"Give it {eats}."), eats, f"{A} eats {eats}.", beast)
    for i, day in enumerate(world.DAYS):
        after, before = world.DAYS[(i + 1) % 7], world.DAYS[(i - 1) % 7]
        yield Fact(f"day/{day}/after", (f"Which day comes after {day}?", f"What day is it on the day after {day}?", f"Today is {day}. What day is tomorrow?"),
                   (f"After {day} comes {after}.", f"It is {after}."), after, f"{day}, {after}.", day)
        yield Fact(f"day/{day}/before", (f"Which day comes before {day}?", f"Today is {day}. What day was yesterday?"),
                   (f"Before {day} comes {before}.", f"It was {before}."), before, f"{before}, {day}.", day)
    for i, month in enumerate(world.MONTHS):
        after = world.MONTHS[(i + 1) % 12]
        yield Fact(f"month/{month}", (f"Which month comes after {month}?", f"What is the month after {month}?"), (f"After {month} comes {after}.", f"{after} comes after {month}."),
                   after, f"{month}, {after}.", month)
    for season, (months, event, look) in world.SEASONS.items():
        S = season.capitalize()
        yield Fact(f"season/{season}/months", (f"Which months are {season}?", f"When is {season}?"), (f"{S} is {months}.", f"The months of {season} are {months}."), months, f"{S}: {months}.", season)
        yield Fact(f"season/{season}/look", (f"What is {season} like in {world.VILLAGE}?", f"What happens in {season}?", f"How is {season} here?"),
                   (f"{S} is {look}. It is the time when {event}.", f"In {season} it is {look}, and {event}."), look, f"{S} is {look}.", season)
    where = f"{world.VILLAGE} is a small village on {world.BAY}, between the sea and {world.HILL}."
    yield Fact("village/where", (f"Where is {world.VILLAGE}?", f"What is {world.VILLAGE}?", f"Tell me about {world.VILLAGE}.", "Which village do you know?", "Where do you live?"),
               (where, f"{where} A river called {world.RIVER} runs through it.", f"{where} Joss's ferry goes from there to {world.ISLAND}."), world.BAY, where, world.VILLAGE)
    yield Fact("village/river", (f"Which river runs through {world.VILLAGE}?", "What is the river called?", "What is the name of the river?"),
               (f"The river is called {world.RIVER}.", f"{world.RIVER.capitalize()} runs through {world.VILLAGE}."), world.RIVER, f"The river is {world.RIVER}.", "river")
    yield Fact("village/island", ("Where does the ferry go?", "Where does Joss take people?", "Which island is near the village?"),
               (f"The ferry goes to {world.ISLAND}.", f"Joss's ferry goes to {world.ISLAND}."), world.ISLAND, f"The ferry goes to {world.ISLAND}.", "ferry")


def _all():
    out = []
    for person in world.FOLK:
        out += _person_facts(person)
    return out + [*_relation_facts(), *_place_facts(), *_pet_facts(), *_boat_facts(), *_other_facts()]


FACTS = _all()
BY_KEY = {fact.key: fact for fact in FACTS}
GROUPS = {}  # facts by their first word: people, boats, ... so that a dialogue can stay with one subject
for _fact in FACTS:
    GROUPS.setdefault(_fact.topic, []).append(_fact)
