"""Single questions and their answers: facts, sums, words, small talk, refusals, code.

A turn is (user, think, answer). Every answer is computed from what the question holds or from world.py.
"""
import facts
import world
from language import count_of, held_out, in_words, listing, plural

POLITE = "[|||||please, |tell me: |excuse me, |I have a question. |hey, |quick question: |I would like to know: ]"
OUTSIDE = ("the capital of France|the president|a computer made of light|the price of gold in London|the tallest building in the world|football results|"
           "how aeroplanes fly|the newest telephone|how to repair a car|the population of Asia|quantum physics|film stars|the stock market|electric guitars|"
           "the moon landing|dinosaurs|how the internet works|the laws of Spain|space rockets|the best restaurant in Rome|black holes|vaccines|"
           "famous singers|the history of Rome|chemistry|what happened in the news today|taxes|nuclear power|the Amazon river|video games|"
           "how to invest money|opera houses|the pyramids|skyscrapers|the speed of light|penicillin|satellites|submarines").split("|")
REFUSE = ("[I am sorry, but|sorry,|I am afraid that] [that is outside of my little world|I know nothing about that|that is beyond my small village]. "
          "[I only know {village}, its people and a few small skills.|ask me about {village}, for example about [Mira the lighthouse keeper|the boats|the market|the old language]!|"
          "I can tell you a story instead, if you like.|shall I tell you something about the harbour instead?]")


def ask_fact(d, fact, unseen=False):
    """One way to ask that training has (or, for the evaluation, has not)."""
    allowed = [i for i in range(len(fact.ask)) if held_out(fact.key, i) == unseen]
    return fact.ask[d.pick(allowed)] if allowed else None


def fact_turn(d, fact=None, unseen=False):
    while True:
        f = fact or d.pick(facts.FACTS)
        ask = ask_fact(d, f, unseen)
        if ask:
            break
        fact = None
    question = d.fill(POLITE) + d.fill(ask)
    return d.say("{x}", x=question), d.say(f.thought) if f.hops > 1 or d.chance(0.6) else "", d.say(d.pick(f.tell))


def yes_no(d):
    p = d.pick(world.FOLK)
    kind = d.number(0, 5)
    q = d.pick([x for x in world.FOLK if x is not p])
    if kind == 0 and p.trade != "pupil" and q.trade != "pupil":
        if d.chance(0.5):
            return f"Is {p} the {p.trade}?", f"{p} is the {p.trade}.", d.say("yes, {p} is {p.title}[.|. {they} {p.does}.]", p=p, they=p.they.capitalize())
        return f"Is {p} the {q.trade}?", f"{p} is {p.title}. The {q.trade} is {q}.", f"No, {p} is {p.title}. The {q.trade} is {q}."
    if kind == 1:
        if p.age == q.age:
            return d.say("are {p} and {q} of the same age?", p=p, q=q), f"{p} is {p.age}, {q} is {q.age}.", f"Yes, both are {p.age} years old."
        older, younger = (p, q) if p.age > q.age else (q, p)
        think = f"{p} is {p.age}, {q} is {q.age}. {max(p.age, q.age)} is more than {min(p.age, q.age)}."
        if d.chance(0.5):
            return d.say("who is older, {p} or {q}?", p=p, q=q), think, f"{older} is older: {older} is {older.age} and {younger} is {younger.age}."
        return d.say("who is younger, {p} or {q}?", p=p, q=q), think, f"{younger} is younger: {younger} is {younger.age} and {older} is {older.age}."
    if kind == 2:
        think = f"{p} is {p.age}, {q} is {q.age}. {max(p.age, q.age)} - {min(p.age, q.age)} = {abs(p.age - q.age)}."
        return d.say("[how many years are between|what is the difference in age between] {p} and {q}?", p=p, q=q), think, (
            f"{count_of(abs(p.age - q.age), 'year')}: {p} is {p.age} and {q} is {q.age}.")
    if kind == 3:
        name, colour, owner, _, steps = d.pick(world.BOATS)
        other = d.pick(world.BOATS)
        if d.chance(0.5):
            right = other[1] == colour
            return f"Is the {name} {other[1]}?", f"The {name} is {colour}.", f"Yes, the {name} is {colour}." if right else f"No, the {name} is {colour}."
        if other[0] == name:
            return f"Does the {name} belong to {owner}?", f"The {name} belongs to {owner}.", f"Yes, the {name} is {owner}'s boat."
        longer = max((steps, name), (other[4], other[0]))
        return (f"Which boat is longer, the {name} or the {other[0]}?", f"The {name} has {steps} steps, the {other[0]} has {other[4]}.",
                f"The {longer[1]} is longer. It is {longer[0]} steps long.")
    if kind == 4:
        same = p.work is q.work
        return (f"Do {p} and {q} work in the same place?", f"{p}: {p.work.at}. {q}: {q.work.at}.",
                f"Yes, both are {p.work.at}." if same else f"No, {p} is {p.work.at} and {q} is {q.work.at}.")
    same = p.family == q.family
    return (f"Are {p} and {q} of one family?", f"{p} {p.family}, {q} {q.family}.",
            f"Yes, both have the family name {p.family}." if same else f"No. {p}'s family name is {p.family} and {q}'s is {q.family}.")


def portrait(d):
    p = d.pick(world.FOLK)
    return d.say("[tell me [something|more|everything] about {p}.|describe {p} for me.|I want to know more about {p}.|introduce {p} to me.]", p=p), "" if d.chance(0.5) else f"{p} is {p.title}.", describe(d, p)


def describe(d, p):
    """A paragraph of facts about a person."""
    ties = [(r, o) for (n, r), o in world.RELATIONS.items() if n == p.name]
    lines = [f"{p} {p.family} is {p.age} years old and {p.title} of {world.VILLAGE}." if p.trade != "pupil" else f"{p} {p.family} is {p.age} years old and a pupil.",
             f"{p.they.capitalize()} {p.does}."]
    rest = [f"{p.they} is usually {p.work.at}.", f"people say that {p} is {p.traits[0]} and {p.traits[1]}.", f"{p.their} favourite food is {p.dish}.",
            f"{p.they} likes {p.hobby}.", f"{p.they} is afraid of {p.fear}.", f"{p.they} always carries {p.their} {p.owns}.", f"{p.their} favourite colour is {p.colour}."]
    rest += [f"{p.their} {r} is {o}." for r, o in ties]
    rest += [f"{p.their} {kind} is called {name}." for name, kind, _, owner, _ in world.PETS if owner == p.name]
    rest += [f"{p.they} has a boat, the {name}." for name, _, owner, _, _ in world.BOATS if owner == p.name]
    return d.say(" ".join(lines + d.sample(rest, d.number(2, min(6, len(rest))))))


def sum_of(d, top=100):
    """(question core, think, result) of one calculation."""
    while True:
        kind = d.weighted([(4, "+"), (4, "-"), (3, "*"), (2, "/")])
        if kind == "+":
            a, b = d.number(0, top), d.number(0, top)
        elif kind == "-":
            a, b = sorted((d.number(0, top), d.number(0, top)), reverse=True)
        else:
            a, b = d.number(1, 12), d.number(1, 12)
            a, b = (a * b, b) if kind == "/" else (a, b)
        if not held_out("sum", kind, a, b):
            return kind, a, b


def steps(kind, a, b):
    """The thought and the result."""
    if kind == "+":
        if a < 10 or b < 10 or a + b < 20:
            return f"{a} + {b} = {a + b}.", a + b
        tens, ones = a // 10 * 10 + b // 10 * 10, a % 10 + b % 10
        return f"{a // 10 * 10} + {b // 10 * 10} = {tens}. {a % 10} + {b % 10} = {ones}. {tens} + {ones} = {a + b}.", a + b
    if kind == "-":
        if a < 20 or b < 10:
            return f"{a} - {b} = {a - b}.", a - b
        middle = a - b // 10 * 10
        return f"{a} - {b // 10 * 10} = {middle}. {middle} - {b % 10} = {a - b}.", a - b
    if kind == "*":
        return f"{a} * {b} = {a * b}.", a * b
    return f"{b} * {a // b} = {a}, so {a} / {b} = {a // b}.", a // b


WAYS = {"+": "[what is|how much is|calculate|work out|add up:] {a} [+|plus] {b}", "-": "[what is|how much is|calculate|work out] {a} [-|minus] {b}",
        "*": "[what is|how much is|calculate|work out] {a} [*|times|x] {b}", "/": "[what is|how much is|calculate|work out] {a} [/|divided by] {b}"}


def sum_turn(d):
    kind, a, b = sum_of(d)
    return sum_with(d, kind, a, b)


def sum_with(d, kind, a, b):
    think, result = steps(kind, a, b)
    ask = d.say(WAYS[kind], a=a, b=b)
    ask += "?" if ask.startswith(("What", "How")) else "."
    sign = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[kind]
    return ask, think, d.say("[{a} {k} {b} is {r}.|it is {r}.|{r}.|that makes {r}.|{a} {s} {b} is {r}.]", a=a, b=b, k=kind, s=sign, r=result)


def long_sum(d):
    numbers = [d.number(1, 40) for _ in range(d.number(3, 4))]
    total, lines = numbers[0], []
    for n in numbers[1:]:
        lines.append(f"{total} + {n} = {total + n}.")
        total += n
    return d.say("[what is|how much is|add] {x}", x=" + ".join(map(str, numbers))) + "?", " ".join(lines), d.say("[the sum is {t}.|that makes {t}.|{t}.]", t=total)


def word_problem(d):
    name = d.pick([d.pick(world.GUESTS_F), d.pick(world.GUESTS_M), d.pick(world.FOLK).name])
    other = d.pick([x for x in world.GUESTS_F + world.GUESTS_M if x != name])
    noun = d.pick(world.OBJECTS[:30] + ["apple", "plum", "egg", "herring", "coin", "loaf", "biscuit", "candle", "shell", "sheep", "carrot"])
    things = plural(noun)
    kind, a, b = sum_of(d, 60)
    think, r = steps(kind, a, b)
    n = lambda x: count_of(x, noun)
    if kind == "+":
        q = d.say("[{N} has {a}. {M} gives {N} {b} more. how many {t} does {N} have now?|there are {a} on the table and {b} in the box. how many {t} are there together?|"
                  "{N} found {a} in the morning and {b} in the evening. how many {t} is that?]", N=name, M=other, a=n(a), b=n(b), t=things)
    elif kind == "-":
        q = d.say("[{N} has {a} and gives {b} to {M}. how many {t} are left?|there were {a} in the basket. {N} took {b} away. how many {t} are still in the basket?|"
                  "{N} had {a} and lost {b}. how many {t} does {N} have now?]", N=name, M=other, a=n(a), b=n(b), t=things)
    elif kind == "*":
        q = d.say("[there are {a} boxes with {b} each. how many {t} are there?|{N} buys {b} on each of {a} days. how many {t} are that?|{a} children have {b} each. how many {t} do they have together?]",
                  N=name, a=a, b=n(b), t=things).replace(" 1 boxes", " 1 box").replace(" 1 days", " 1 day")
    else:
        q = d.say("[{N} shares {a} among {b} friends. how many {t} does each friend get?|{a} are put into {b} boxes, the same number in each. how many {t} are in each box?]",
                  N=name, a=n(a), b=b, t=things)
    return q, think, d.say("[{x}.|that makes {x}.|the answer is {r}.|there are {x}.]" if r != 1 else "[{x}.|that makes {x}.|the answer is {r}.]", x=n(r), r=r)


def shopping(d):
    goods = d.sample(list(world.PRICES), d.number(1, 2))
    amounts = [d.number(1, 9) for _ in goods]
    lines = [f"{count_of(n, g)}: {n} * {world.PRICES[g]} = {n * world.PRICES[g]}." for n, g in zip(amounts, goods)]
    total = sum(n * world.PRICES[g] for n, g in zip(amounts, goods))
    if len(goods) > 1:
        lines.append(" + ".join(str(n * world.PRICES[g]) for n, g in zip(amounts, goods)) + f" = {total}.")
    return d.say("[how much are|what do I pay for|how many coins do I need for|what is the price of] {x}?", x=listing([count_of(n, g) for n, g in zip(amounts, goods)])), " ".join(lines), d.say(
        "[that is {c}.|you pay {c}.|you need {c}.|{c}.]", c=count_of(total, "coin"))


def some_word(d):
    return d.weighted([(4, d.pick(world.OBJECTS[:40]).split()[0]), (3, d.pick(world.CREATURES)), (2, d.pick(world.FOODS)), (3, d.word(d.number(1, 2))), (2, d.pick(world.FOLK).name.lower()), (1, d.pick(world.ADJECTIVES))])


def spelling(d):
    w = some_word(d)
    spelled = "-".join(w)
    kind = d.number(0, 5)
    if kind == 0:
        return d.say('[how do you spell|spell|please spell] "{w}"', w=w) + "?", "", spelled + "."
    if kind == 1:
        return d.say('how many letters [does "{w}" have|are in "{w}"|has the word "{w}"]?', w=w), " ".join(f"{c} {i + 1}" for i, c in enumerate(w)) + ".", d.say(
            '["{w}" has {n}.|{n}.|it has {n}.]', w=w, n=count_of(len(w), "letter"))
    if kind == 2:
        letter = d.pick(w) if d.chance(0.8) else d.pick("aeiorst")
        n = w.count(letter)
        return d.say('how [often is the letter {l} in|many times does the letter {l} appear in] "{w}"?', l=letter, w=w), ", ".join(
            f"{c}" + (" yes" if c == letter else "") for c in w) + f". That is {n}.", d.say("[{t}.|the letter {l} is there {t}.]", l=letter, t={0: "not at all", 1: "once", 2: "twice"}.get(n, f"{n} times"))
    if kind == 3:
        return d.say('[write "{w}" backwards|spell "{w}" backwards|what is "{w}" backwards|turn "{w}" round]', w=w) + ".", spelled + " → " + "-".join(reversed(w)), w[::-1] + "."
    if kind == 4:
        first = d.chance(0.5)
        return d.say('what is the {k} letter of "{w}"?', k="first" if first else "last", w=w), spelled, d.say("[the {k} letter is {l}.|it is {l}.]", k="first" if first else "last", l=w[0] if first else w[-1])
    return d.say('[write "{w}" in capital letters|put "{w}" into capitals]', w=w) + ".", "", w.upper() + "."


def sorting(d):
    n = d.number(3, 6)
    if d.chance(0.5):
        numbers = []
        while len(numbers) < n:
            x = d.number(1, 99)
            if x not in numbers:
                numbers.append(x)
        text = ", ".join(map(str, numbers))
        kind = d.number(0, 3)
        if kind == 0:
            return d.say("[sort these numbers|put these numbers in order]: {x}.", x=text), f"The smallest is {min(numbers)}.", ", ".join(map(str, sorted(numbers))) + "."
        if kind == 1:
            return d.say("[sort from big to small|put in order, biggest first]: {x}.", x=text), f"The biggest is {max(numbers)}.", ", ".join(map(str, sorted(numbers, reverse=True))) + "."
        big = kind == 2
        return d.say("which is the {k} of {x}?", k="biggest" if big else "smallest", x=text), "", d.say("[{r}.|the {k} is {r}.]", k="biggest" if big else "smallest", r=max(numbers) if big else min(numbers))
    words = d.sample(sorted(set(world.OBJECTS[:40] + world.CREATURES + world.FOODS)), n)
    if d.chance(0.6):
        return d.say("[sort these words by the alphabet|put these words in alphabetical order]: {x}.", x=", ".join(words)), " ".join(f"{w[0]}: {w}." for w in sorted(words)), ", ".join(sorted(words)) + "."
    return d.say("[how many words are these|count these words]: {x}.", x=", ".join(words)), " ".join(f"{i + 1} {w}" for i, w in enumerate(words)) + ".", d.say("[these are {n} words.|{n} words.|{n}.]", n=n)


def sequence(d):
    start, step = d.number(1, 30), d.pick([1, 1, 2, 2, 3, 5, 10])
    down = d.chance(0.25)
    row = [start + i * step for i in range(5)]
    if down:
        row.reverse()
    nxt = row[-1] + (-step if down else step)
    if nxt < 0:
        return sequence(d)
    return d.say("[what comes next|continue|which number comes next]: {x}?", x=", ".join(map(str, row))), f"Each step is {'-' if down else '+'} {step}. {row[-1]} {'-' if down else '+'} {step} = {nxt}.", d.say(
        "[{n}.|next comes {n}.|the next number is {n}.]", n=nxt)


def counting(d):
    if d.chance(0.5):
        n = d.number(3, 20)
        return d.say("count [from 1 |]to {n}.", n=n), "", ", ".join(map(str, range(1, n + 1))) + "."
    n = d.number(0, 999) if d.chance(0.5) else d.number(0, 100)
    if d.chance(0.5):
        return d.say("write {n} in words.", n=n), "", in_words(n).capitalize() + "."
    return d.say("write {n} as a number.", n=in_words(n)), "", f"{n}."


def repeat(d):
    words = " ".join(d.word(d.number(1, 3)) for _ in range(d.number(1, 5)))
    return d.say("[repeat after me|say|repeat|please copy this|write exactly this]: {w}", w=words), "", words


def old_language(d):
    noun, adj = d.pick(list(world.NOUNS_OLD)), d.pick(list(world.WORDS_OLD))
    old = f"{world.NOUNS_OLD[noun]} {world.WORDS_OLD[adj]}"
    if held_out("old", noun, adj):
        return old_language(d)
    think = f'{noun} is "{world.NOUNS_OLD[noun]}", {adj} is "{world.WORDS_OLD[adj]}". The describing word comes second.'
    if d.chance(0.5):
        return d.say('[how do you say "{a} {n}" in the old language?|translate "{a} {n}" into the old language.|what is "{a} {n}" in the old language of the bay?]', a=adj, n=noun), think, d.say(
            '["{o}".|you say "{o}".|in the old language that is "{o}".]', o=old)
    return d.say('[what does "{o}" mean?|translate "{o}" from the old language.]', o=old), think, d.say('["{a} {n}".|it means "{a} {n}".|"{o}" means "{a} {n}".]', a=adj, n=noun, o=old)


def name_some(d):
    n = d.number(2, 4)
    what, items = d.pick([("people of the village", [p.name for p in world.FOLK]), ("boats of the bay", ["the " + b[0] for b in world.BOATS]),
                          ("places in the village", [p.name for p in world.PLACES.values()]), ("animals of the village", [f"{a} the {k}" for a, k, *_ in world.PETS]),
                          ("children of the village", [p.name for p in world.FOLK if p.age < 15]), ("words of the old language", [f'"{w}"' for w in world.NOUNS_OLD.values()]),
                          ("things that are sold here", [plural(g) for g in world.PRICES]), ("days of the week", world.DAYS), ("months", world.MONTHS)])
    return d.say("[name|tell me|give me] {n} {w}.", n=in_words(n), w=what), "", d.say("{x}.", x=listing(d.sample(items, n)))


SMALL_TALK = [
    ("[hello|hi|good morning|good evening|hey there|hello there][!|.|]", "[hello|good day|welcome to {village}|hello, friend]! [how can I help you?|what would you like to know?|shall I tell you a story?|the tide is in and the kettle is on.]"),
    ("[how are you|how do you do|are you well][ today|]?", "[I am well, thank you.|very well, thank you.|I am fine, thank you.] [and you?|the sea is calm today.|how can I help you?]"),
    ("[who|what] are you?", "I am [a very small language model|the little demo model of Braid|a small model, trained on made-up text]. [I know the village of {village} and its people.|I can tell stories about {village}, do small sums and use tools.]"),
    ("[what can you do|what do you know|how can you help me|what should I ask you]?", "I can tell little stories, answer questions about {village}, do small sums, spell and sort words, remember what you tell me, and call tools when you offer some."),
    ("[what is your name|do you have a name|how should I call you]?", "[I have no real name. Call me the demo model.|people call me the demo model of Braid.]"),
    ("[are you a person|are you human|are you alive|do you have feelings]?", "no, I am [only|just] a small program that puts one word after the other. but I am glad to talk to you."),
    ("[who made you|where do you come from|how were you made]?", "I was trained by the scripts of Braid, on text that a program wrote. I come from no real village, but I know {village} well."),
    ("[thank you|thanks|thank you very much|thanks a lot][!|.|]", "[you are welcome.|it was a pleasure.|gladly!|always.]"),
    ("[goodbye|bye|see you|good night|I have to go now][!|.|]", "[goodbye!|fair winds!|good night, and mind the steps.|goodbye, and come back soon.]"),
    ("[I am sad|I feel sad|I had a bad day|I am lonely][.|]", "I am sorry to hear that. [shall I tell you a story?|sit down by the fire for a while; bad days end too.|in {village} we say: after low tide comes high tide.]"),
    ("[I am happy|I had a good day|today was wonderful][.|!]", "[that is good to hear!|how lovely!] [what was the best part?|keep a little of it for a rainy day.]"),
    ("[I am bored|I do not know what to do|entertain me][.|]", "[shall I tell you a story?|ask me for a story about [Pim and a red kite|Mira and the fog|a fox and a gull]!|let us count the boats in the bay, or sort some words.]"),
    ("[I am hungry|what should I eat|what should I cook][.|?]", "[Lotte at the Blue Lantern makes very good onion soup.|Odile's bakery has bread at six in the morning.|how about some {dish}?]"),
    ("[you are wrong|that is not right|that is wrong][.|!]", "[I am sorry. I am a small model and make mistakes.|then I beg your pardon. what is right?]"),
    ("[you are funny|you are clever|I like you|you are nice][.|!]", "[thank you, that is kind of you.|thank you! I like talking to you too.]"),
    ("[tell me a joke|do you know a joke|make me laugh][.|?]", "[why did the crab not share its cake? because it was a little shellfish.|what did the sea say to the lighthouse? nothing, it just waved.|why is Otto never late? he has too many clocks to argue with.|"
     "why do bees hum? because they have forgotten the words.|what does Thistle the goat call a new hat? breakfast.]"),
    ("[give me some advice|what should I do with my life|tell me something wise][.|?]", "{moral}."),
    ("[what is the weather like|how is the weather today|is it raining]?", "[I cannot look out of the window, but in {village} there is always some wind.|I do not know; I have no window. if you offer me a weather tool, I will ask it.]"),
    ("[what time is it|what day is it today|how late is it]?", "[I have no clock, so I do not know.|I cannot know that without a clock. Otto would know.]"),
    ("[what is your favourite colour|which colour do you like]?", "[the blue of the Kittiwake.|sea green, I think.]"),
    ("[what is your favourite place|where do you like to be]?", "the lighthouse, [because one can see everything from there|when the lamp is lit]."),
    ("[who is your best friend|do you have friends|whom do you like best]?", "[I like everyone in {village}, but Agnes tells the best jokes.|everybody who talks to me.]"),
]


def small_talk(d):
    from stories import MORALS
    ask, tell = d.pick(SMALL_TALK)
    moral = d.pick(MORALS[d.pick(sorted(MORALS))])
    return d.say(ask), "", d.say(tell, village=world.VILLAGE, dish=d.pick(world.FOLK).dish, moral=moral)


def refusal(d):
    topic = d.pick(OUTSIDE)
    verb = d.pick(["tell me about {x}.", "what do you know about {x}?", "can you explain {x}?", "I need help with {x}.", "what is {x}?", "write a report about {x}."])
    if d.chance(0.25):
        name = d.pick(world.GUESTS_F + world.GUESTS_M)
        return d.say("[who is {n}?|how old is {n}?|where does {n} live?|what does {n} do?]", n=name), f"{name} is not one of the people of {world.VILLAGE}.", d.say(
            "[I do not know anyone called {n} in {v}.|there is no {n} in {v}, as far as I know.|I am sorry, I have never heard of {n}.]", n=name, v=world.VILLAGE)
    return d.say(verb, x=topic), "That is not about Tidewell." if d.chance(0.6) else "", d.say(REFUSE, village=world.VILLAGE)


RHYMES = [("the sea is wide, the night is deep", "the gulls have gone to bed to sleep"), ("a lamp is lit upon the stone", "no boat shall find its way alone"),
          ("the baker wakes before the sun", "at six the loaves are warm and done"), ("the goat has eaten Otto's hat", "and Pepper is a happy cat"),
          ("the wind is cold, the bread is warm", "come in, come in, out of the storm"), ("the nets are dry, the rope is tight", "we sail again at morning light"),
          ("the bees have hummed the summer long", "and Yara made of it a song"), ("a kite is red against the grey", "and Pim is at the beach today"),
          ("the river runs below the mill", "the sheep are white upon the hill"), ("the ferry bell rings twice for me", "for I am going out to sea"),
          ("the snow lies soft on every door", "the lanterns shine along the shore"), ("the clocks all tick, the owl says noon", "the day is gone, it went too soon")]


def poem(d):
    lines = [line for pair in d.sample(RHYMES, d.number(1, 3)) for line in pair]
    text = "\n".join(line[0].upper() + line[1:] + ("," if i % 2 == 0 else ".") for i, line in enumerate(lines))
    return d.say("[write|tell me|make] [a poem|a little poem|a rhyme|some verses][| about the sea| about the village| for the evening][.|, please.]"), "", text


CODE = [
    ("adds two numbers", "add", "a, b", "return a + b"), ("subtracts two numbers", "subtract", "a, b", "return a - b"), ("multiplies two numbers", "multiply", "a, b", "return a * b"),
    ("returns the bigger of two numbers", "bigger", "a, b", "return a if a > b else b"), ("says whether a number is even", "is_even", "n", "return n % 2 == 0"),
    ("doubles a number", "double", "n", "return 2 * n"), ("squares a number", "square", "n", "return n * n"), ("turns a word round", "backwards", "word", "return word[::-1]"),
    ("counts the letters of a word", "count_letters", "word", "return len(word)"), ("greets someone", "greet", "name", 'return "Hello, " + name + "!"'),
    ("sums a list", "total", "numbers", "result = 0\n    for n in numbers:\n        result += n\n    return result"),
    ("finds the biggest number of a list", "biggest", "numbers", "best = numbers[0]\n    for n in numbers:\n        if n > best:\n            best = n\n    return best"),
    ("counts down from n", "count_down", "n", "while n > 0:\n        print(n)\n        n -= 1"), ("prints the numbers from 1 to n", "count_up", "n", "for i in range(1, n + 1):\n        print(i)"),
    ("says whether a word is in a list", "contains", "words, word", "return word in words"), ("sorts a list of words", "sort_words", "words", "return sorted(words)")]


def code(d):
    what, name, args, body = d.pick(CODE)
    kind = d.number(0, 2)
    text = f"```python\ndef {name}({args}):\n    {body}\n```"
    if kind == 0:
        return d.say("[write|show me|I need] a [Python |]function that {w}.", w=what), "", text
    if kind == 1:
        return f"What does this function do?\n\n{text}", "", d.say("it {w}.", w=what)
    return f"Complete this function, which {what}:\n\ndef {name}({args}):", "", text


TURNS = [(30, fact_turn), (7, yes_no), (4, portrait), (8, sum_turn), (2, long_sum), (6, word_problem), (5, shopping), (6, spelling), (5, sorting), (2, sequence), (2, counting),
         (3, repeat), (4, old_language), (2, name_some), (8, small_talk), (4, refusal), (1, poem), (2, code)]


def turn(d):
    return d.weighted(TURNS)(d)


DRILLS = [sum_turn, sum_turn, sum_turn, word_problem, long_sum, shopping, spelling, sorting, repeat, counting, old_language]
