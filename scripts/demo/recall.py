"""Long conversations in which something is said early and asked for late, and lists that are looked up.

`target` is the number of characters of talk between the planting and the question; generate.py draws it so that
distances up to the length of a training row all occur.
"""
import stories
import turns
import world
from language import Thing, article, in_words


def code(d):
    return d.pick([f"{d.number(10, 999)}", d.word(2), f"{d.word(1).upper()}-{d.number(10, 99)}", f"{d.pick(world.ADJECTIVES)} {d.pick(world.OBJECTS)}", "-".join(str(d.number(0, 9)) for _ in range(4)), d.word(3)])


def secret(d):
    """(what the user says, the assistant's answer, question, answer, value)."""
    kind = d.number(0, 5)
    value = code(d)
    if kind == 0:
        t = Thing(d.pick(world.OBJECTS), d.pick(world.ADJECTIVES))
        return (d.say("[remember this|please remember|keep this in mind|note this]: the [password|code] of the {t} is {v}.", t=t, v=value), d.say("[I will remember it.|noted.|good, I will keep it in mind.]"),
                d.say("[what is|what was|do you remember] the [password|code] of the {t}?", t=t), f"It is {value}.", value)
    if kind == 1:
        name = d.pick([d.word(2).capitalize(), d.pick(world.GUESTS_F), d.pick(world.GUESTS_M)])
        return (d.say("[my name is {n}.|I am {n}.|you can call me {n}.|hello, I am {n}.]", n=name), d.say("[nice to meet you, {n}!|hello, {n}!|welcome, {n}.]", n=name),
                d.say("[what is my name?|do you remember my name?|who am I?]"), f"Your name is {name}.", name)
    if kind == 2:
        pet, animal = d.word(2).capitalize(), d.pick(world.CREATURES)
        return (d.say("[I have {a} called {p}.|my {b} is called {p}.]", a=article(animal), b=animal, p=pet), d.say("[{p} is a good name for {a}.|what a nice name!]", p=pet, a=article(animal)),
                d.say("[what is my {b} called?|what is the name of my {b}?]", b=animal), f"Your {animal} is called {pet}.", pet)
    if kind == 3:
        t = Thing(d.pick(world.OBJECTS), d.pick(world.ADJECTIVES))
        place = d.pick(list(world.PLACES.values()))
        return (d.say("[I have hidden the {t} {p}.|the {t} is hidden {p}.|I put my {t} down {p}.]", t=t, p=place.at), d.say("[I will not tell anyone.|good to know.|I will remember that.]"),
                d.say("[where is the {t}?|where did I leave the {t}?|do you know where the {t} is?]", t=t), f"The {t} is {place.at}.", place.at)
    if kind == 4:
        n, noun = d.number(2, 99), d.pick(world.OBJECTS[:30])
        from language import plural
        return (d.say("[I own {n} {t}.|in my house there are {n} {t}.]", n=n, t=plural(noun)), d.say("[that is a lot of {t}!|{w} {t}, I see.]", w=in_words(n), t=plural(noun)),
                d.say("[how many {t} do I own?|how many {t} do I have?]", t=plural(noun)), f"You have {n} {plural(noun)}.", str(n))
    colour, who = d.pick(sorted({p.colour for p in world.FOLK})), d.pick(["brother", "sister", "uncle", "aunt", "neighbour", "teacher", "cousin", "grandmother"])
    name = d.word(2).capitalize()
    if d.chance(0.5):
        return (d.say("my {w} is called {n}.", w=who, n=name), d.say("[{n}, that is a fine name.|I see.]", n=name), d.say("[what is my {w} called?|what is the name of my {w}?]", w=who), f"Your {who} is called {name}.", name)
    return (d.say("[my favourite colour is {c}.|I like {c} best of all colours.]", c=colour), d.say("{c} is [a lovely|a fine] colour.", c=colour), "What is my favourite colour?", f"Your favourite colour is {colour}.", colour)


def pair(messages, user, answer, think=""):
    messages += [{"role": "user", "content": user}, {"role": "assistant", "content": answer, "think": think}]


def recall_chat(d, target, filler=None):
    """(messages, value of the first question). One to four secrets first, then talk, then the questions."""
    messages, asked, seen = [], [], set()
    for _ in range(d.weighted([(3, 1), (3, 2), (2, 3), (1, 4)])):
        user, said, question, answer, value = secret(d)
        if question.split()[-1] in seen or "name" in question and any("name" in q for q, _, _ in asked):
            continue
        seen.add(question.split()[-1])
        asked.append((question, answer, value))
        pair(messages, user, said)
    size = 0
    while size < target:
        user, think, answer = (filler or talk)(d)
        pair(messages, user, answer, think)
        size += len(user) + len(answer) + 40
    asked = d.sample(asked, len(asked))
    for question, answer, value in asked[:d.number(1, len(asked))]:
        pair(messages, question, answer, d.pick(["", "You told me before.", "I remember that."]))
    return messages, asked[0][2]


def memory_chat(d, size):
    """Things that are said and asked for in any order, little between them; about `size` characters.

    A long conversation with one question shows a learner one instance of looking back; this one shows dozens, which is
    what the first steps towards it need.
    """
    messages, known, so_far = [], {}, 0
    while so_far < size:
        roll = d.random()
        if known and roll < 0.5:
            chosen = d.sample(sorted(known), min(len(known), 2 if d.chance(0.15) else 1))
            user = chosen[0] if len(chosen) == 1 else f"{chosen[0][:-1]}, and {chosen[1][0].lower()}{chosen[1][1:]}"
            answer = " ".join(known[question] for question in chosen)
            pair(messages, user, answer, d.pick(["", "", "You told me before.", "I remember that."]))
        elif roll < 0.82:
            user, said, question, answer, _ = secret(d)
            if any(question.split()[-1] == other.split()[-1] or "name?" in question and "name?" in other or "who am" in other.lower() for other in known):
                continue
            known[question] = answer
            pair(messages, user, said)
        else:
            user, think, answer = turns.turn(d)
            pair(messages, user, answer, think)
        so_far += len(messages[-2]["content"]) + len(messages[-1]["content"]) + 60
    return messages


def talk(d):
    if d.chance(0.45):
        return story_request(d)[:3]
    return turns.turn(d)


def story_request(d, brief=None):
    """(user, think, story, Story)."""
    wish = d.number(0, 5)
    p = d.pick(world.FOLK) if d.chance(0.7) else None
    t = Thing(d.pick(world.OBJECTS), d.pick(world.ADJECTIVES)) if wish in (1, 2, 4) else None
    place = d.pick(stories.PLACES_USED) if wish == 3 else None
    brief = d.chance(0.3) if brief is None else brief
    plot = stories.fable if wish == 5 else d.pick(stories.PLOTS[:12] + stories.PLOTS[13:])
    cast = [] if p is None or wish == 5 or plot is stories.stranger else [p]
    if plot in (stories.lost, stories.broken, stories.fog):
        t, place = None, None
    s = stories.make(d, cast, t, place, plot, brief)
    about = "about " + (f"{p.name} and {t.a}" if cast and t else p.name if cast else t.a if t else d.fill("[the sea|animals|Tidewell|friends|something lost|a brave heart]") if wish != 5 else d.fill("[animals|two animals|{a} and {b}]", a=s.context["A"], b=s.context["B"]))
    if place and cast:
        about = f"about {p.name} and {place}"
    user = d.say("[tell me|write|please tell me|I would like to hear|can you tell me] a {k}story {a}[.|, please.]", k="short " if brief else d.pick(["", "little ", ""]), a=about)
    think = "" if d.chance(0.5) else d.say("[the story should say that {m}.|a story {a}. the end: {m}.]", m=s.moral, a=about)
    return user, think, s.text, s


def ledgers(d, most=6):
    """A list and up to `most` questions about it, the first of which holds it: [(user, think, answer, value)]."""
    n = d.number(4, 30)
    what, make = d.pick([("number", lambda: str(d.number(10, 999))), ("word", lambda: d.word(2)), ("colour", lambda: d.pick(["red", "blue", "green", "white", "black", "yellow", "brown", "grey"])),
                         ("thing", lambda: d.pick(world.OBJECTS)), ("place", lambda: d.pick(stories.PLACES_USED).name)])
    names = d.sample(world.GUESTS_F + world.GUESTS_M, min(n, 70))
    rows = [(name, make()) for name in names]
    style = d.pick(["{n}: {v}", "{n} has {v}.", "{n} - {v}"])
    text = "\n".join(style.format(n=a, v=b) for a, b in rows)
    asked, out = d.sample(rows, d.number(1, min(most, len(rows)))), []
    for i, (name, value) in enumerate(asked):
        user = d.say("[which {w} belongs to {n}?|what is {n}'s {w}?|find the {w} of {n}.]", w=what, n=name)
        if i == 0:
            user = f"{user}\n\n{text}" if d.chance(0.3) else f"{text}\n\n{user}"
        out.append((user, "" if d.chance(0.5) else style.format(n=name, v=value), d.say("[{n}'s {w} is {v}.|it is {v}.]", n=name, w=what, v=value), value))
    return out
