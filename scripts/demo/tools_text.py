"""Conversations in which tools are offered, called and their results used.

Two kinds of tools: everyday ones (weather, calculator, search, ...) under many names and parameter names, and invented
ones put together from words, so that the model reads the list that it is offered instead of knowing it by heart.
"""
import world
from language import listing, plural
from turns import fact_turn, small_talk, steps, sum_of

STRING, INTEGER = "string", "integer"


def tool(name, description, /, **parameters):
    return {"name": name, "description": description, "parameters": parameters}


def towns(d):
    return d.pick([world.VILLAGE, world.ISLAND, d.word(2).capitalize(), d.word(2).capitalize() + d.pick(["ton", "by", "haven", "ford", "berg"]), d.word(1).capitalize() + "port"])


def weather(d):
    where = d.pick(["place", "city", "location", "town", "where"])
    t = tool(d.pick(["get_weather", "weather", "weather_report", "current_weather", "look_up_weather", "forecast"]),
             d.pick(["The weather at a place.", "Tells the weather of a town.", "Look up the current weather.", "Weather report for a place."]), **{where: (STRING, d.pick(["The place.", "Name of the town.", "Where."]))})
    town = towns(d)
    sky, degrees, wind = d.pick(["rain", "sun", "fog", "snow", "clouds", "hail", "storm"]), d.number(-9, 33), d.pick(["no wind", "a light wind", "a strong wind", "wind from the east", "wind from the west"])
    ask = d.say("[what is the weather like in|how is the weather in|is it raining in|do I need an umbrella in|tell me the weather in|what will I need to wear in] {t}[| today| right now]", t=town)
    result = d.pick([f"{sky}, {degrees} degrees, {wind}", f'{{"sky": "{sky}", "degrees": {degrees}, "wind": "{wind}"}}', f"Sky: {sky}\nTemperature: {degrees}\nWind: {wind}"])
    word = {"rain": "it is raining", "sun": "the sun is shining", "fog": "it is foggy", "snow": "it is snowing", "clouds": "it is cloudy", "hail": "it is hailing", "storm": "there is a storm"}[sky]
    answer = d.say("in {t} {w}[, with {g} degrees and {n}.| at {g} degrees, and there is {n}.].".replace("].", "]") , t=town, w=word, g=degrees, n=wind)
    answer = answer.replace("there is wind from", "the wind comes from").replace("with", "with", 1)
    return t, ask.rstrip(".") + ("?" if not ask.startswith("Tell") else "."), f"I need the weather in {town}.", {where: town}, result, answer + (" " + d.say(
        "[take an umbrella.|stay inside.]" if sky in ("rain", "storm", "hail") else "[enjoy it!|have a good walk.]" if sky == "sun" else "[dress warmly.|take care.]") if d.chance(0.4) else "")


def calculator(d):
    a, b, k = d.number(13, 9999), d.number(13, 999), d.pick("+-*")
    r = {"+": a + b, "-": a - b, "*": a * b}[k]
    p = d.pick(["expression", "formula", "input", "sum"])
    t = tool(d.pick(["calculator", "calculate", "compute", "eval_expression", "do_math", "arithmetic"]), d.pick(["Works out a sum.", "Evaluates an arithmetic expression.", "Calculates exactly."]), **{p: (STRING, d.pick(["The sum, such as 2+3.", "What to work out."]))})
    word = {"+": "plus", "-": "minus", "*": "times"}[k]
    return t, d.say("[what is|how much is|please calculate|I need to know] {a} [{k}|{w}] {b}[?|, please?]", a=a, b=b, k=k, w=word), "That is a big sum. I use the tool.", {p: f"{a} {k} {b}"}, str(r), d.say(
        "[{a} {w} {b} is {r}.|the result is {r}.|that makes {r}.|it is {r}.]", a=a, b=b, w=word, r=r)


def search(d):
    p = d.pick(["query", "q", "text", "keywords", "question"])
    t = tool(d.pick(["search", "web_search", "search_library", "find_page", "look_up", "encyclopedia"]), d.pick(["Searches for a text.", "Finds pages about something.", "Looks something up."]), **{p: (STRING, d.pick(["What to search for.", "The words to look for."]))})
    subject = d.pick([f"{d.pick(world.ADJECTIVES)} {plural(d.pick(world.OBJECTS))}", f"the history of {d.word(2).capitalize()}", f"{d.word(2).capitalize()} the {d.pick(world.GUEST_TRADES)}",
                      f"the {d.pick(world.CREATURES)}", f"{d.pick(world.FOODS)} from {d.word(2).capitalize()}"])
    year, where, who = d.number(1200, 1999), d.word(2).capitalize(), d.pick(world.GUESTS_F + world.GUESTS_M)
    result, said = d.pick([(f"First described in {year} by {who} of {where}.", f"it was first described in {year} by {who} of {where}"), (f"Found mostly in {where}. Known since {year}.", f"it is found mostly in {where} and known since {year}"),
                           (f"{who} of {where} wrote a book about it in {year}.", f"{who} of {where} wrote a book about it in {year}"), ("No results.", "")])
    answer = d.say("[I looked it up: {s}.|about {x} I found this: {s}.|{s}.]", s=said, x=subject) if said else d.say("[I found nothing about {x}.|I am sorry, the search found nothing about {x}.]", x=subject)
    return t, d.say("[search for {x}.|look up {x}, please.|find out something about {x}.|what can you find about {x}?|please look for {x}.]", x=subject), "I search for it.", {p: subject}, result, answer


def clock(d):
    p = d.pick(["place", "zone", "city", "timezone"])
    t = tool(d.pick(["clock", "get_time", "current_time", "time_in", "what_time"]), d.pick(["The time at a place.", "Tells what time it is somewhere."]), **{p: (STRING, d.pick(["The place.", "Where."]))})
    town, h, m = towns(d), d.number(0, 23), d.number(0, 59)
    return t, d.say("[what time is it in {t}?|how late is it in {t}?|tell me the time in {t}.]", t=town), f"I need the time in {town}.", {p: town}, f"{h:02}:{m:02}", d.say("[it is {x} in {t}.|in {t} it is {x}.]", x=f"{h:02}:{m:02}", t=town)


def dice_tool(d):
    s, c = d.pick([("sides", "count"), ("faces", "number"), ("sides", "rolls")])
    t = tool(d.pick(["roll_dice", "dice", "throw_dice", "roll"]), d.pick(["Rolls dice.", "Throws dice and tells what they show."]), **{s: (INTEGER, "How many sides."), c: (INTEGER, "How many dice.")})
    sides, n = d.pick([4, 6, 6, 6, 8, 10, 12, 20]), d.number(1, 4)
    rolls = [d.number(1, sides) for _ in range(n)]
    what = ("a die" if n == 1 else f"{n} dice") + (f" with {sides} sides" if sides != 6 or d.chance(0.4) else "")
    return t, d.say("[roll|throw|please roll] {w}[| for me].", w=what), "I roll.", {s: sides, c: n}, ", ".join(map(str, rolls)), d.say("[you rolled {x}.|the dice show {x}.]" if n > 1 else "[you rolled {x}.|the die shows {x}.]", x=listing(rolls)) + (
        f" Together that is {sum(rolls)}." if n == 2 and d.chance(0.5) else "")


def message(d):
    to, text = d.pick([("to", "text"), ("recipient", "message"), ("name", "body"), ("person", "content")])
    t = tool(d.pick(["send_message", "write_letter", "send_note", "post_letter", "tell_someone"]), d.pick(["Sends a message to someone.", "Brings a note to a person."]), **{to: (STRING, "Who gets it."), text: (STRING, "What it says.")})
    who = d.pick([d.pick(world.FOLK).name, d.pick(world.GUESTS_F), d.pick(world.GUESTS_M)])
    say = d.fill("[I will come at {h}|the {t} is ready|the {t} is at the {u}|dinner is at {h}|the boat leaves at {h}|please bring the {t}|I have found your {t}|the meeting is on {y}]", h=d.pick(["noon", "six", "seven", "dusk", "eight"]),
                 t=d.pick(world.OBJECTS), u=d.pick(["inn", "harbour", "bakery", "mill"]), y=d.pick(world.DAYS))
    say = say[0].upper() + say[1:] + "."
    return t, d.say('[tell {w}: "{s}"|send a message to {w}: "{s}"|please let {w} know: "{s}"|write to {w}: "{s}"]', w=who, s=say), f"I send it to {who}.", {to: who, text: say}, d.pick(["ok", "sent", '{"status": "sent"}']), d.say(
        "[I have told {w}.|the message to {w} is on its way.|done: {w} will get your message.]", w=who)


def calendar(d):
    what, when = d.pick([("title", "day"), ("event", "date"), ("name", "when")])
    t = tool(d.pick(["add_event", "calendar_add", "new_appointment", "remember_date"]), d.pick(["Writes something into the calendar.", "Adds an event to the calendar."]), **{what: (STRING, "What happens."), when: (STRING, "On which day.")})
    event, day = d.pick(["dinner with " + d.pick(world.FOLK).name, "boat race", "market", "fiddle lesson", "visit of " + d.pick(world.GUESTS_F), "haircut", "picnic", "letter to " + d.pick(world.GUESTS_M)]), d.pick(world.DAYS)
    return t, d.say("[put {e} into my calendar on {y}.|please note {e} for {y}.|add {e} on {y}.|remind me of {e} on {y}.]", e=event, y=day), f"I add it for {day}.", {what: event, when: day}, d.pick(["added", "ok", '{"saved": true}']), d.say(
        "[I have noted {e} for {y}.|{y}: {e}. It is in your calendar.|done, {e} is on {y}.]", e=event, y=day)


def stock(d):
    p = d.pick(["item", "product", "thing", "article"])
    t = tool(d.pick(["get_price", "price_of", "shop_price", "stock", "check_stock"]), d.pick(["Price and number of an item in the shop.", "Looks an item up in the shop."]), **{p: (STRING, "The item.")})
    item, price, n = f"{d.pick(world.ADJECTIVES)} {d.pick(world.OBJECTS)}", d.number(1, 99), d.number(0, 40)
    return t, d.say("[how much is the {x}?|what does the {x} cost?|is the {x} still there, and what does it cost?]", x=item), "I look in the shop.", {p: item}, f"price {price}, in stock {n}", d.say(
        "[the {x} costs {c}, and there are {n} left.|it costs {c}. the shop has {n}.]" if n > 1 else "[the {x} costs {c}, and there is one left.]" if n else "[the {x} costs {c}, but there is none left.]", x=item, n=n, c=f"{price} coin{'s' if price != 1 else ''}")


VERBS = {"open": "opened", "close": "closed", "count": "counted", "paint": "painted", "find": "found", "clean": "cleaned", "order": "ordered", "move": "moved", "start": "started", "stop": "stopped", "check": "checked",
         "lock": "locked", "light": "lit", "fill": "filled", "draw": "drawn", "print": "printed", "wash": "washed", "feed": "fed", "measure": "measured", "repair": "repaired"}
OBJECTS = "gate lamp boat window robot garden oven door pump engine camera clock bridge fence kettle printer bell sail tank box".split()
EXTRA = {"colour": ["red", "blue", "green", "white", "yellow"], "room": ["kitchen", "hall", "cellar", "attic", "bedroom"], "number": None, "name": None, "code": None, "speed": ["slow", "fast", "normal"]}


def invented(d):
    """A tool that exists nowhere: verb and noun, one or two parameters."""
    verb, noun = d.pick(list(VERBS)), d.pick(OBJECTS + [d.word(2)])
    keys = d.sample(list(EXTRA), d.number(1, 2))
    values, parts, parameters = {}, [], {}
    for k in keys:
        v = d.pick(EXTRA[k]) if EXTRA[k] else d.number(1, 99) if k == "number" else d.word(2) if k == "name" else f"{d.word(1).upper()}{d.number(10, 99)}"
        values[k] = v
        parameters[k] = (INTEGER if k == "number" else STRING, d.pick([f"The {k}.", f"Which {k}.", f"{k.capitalize()} to use."]))
        parts.append({"colour": f"in {v}", "room": f"in the {v}", "number": f"with number {v}", "name": f"called {v}", "code": f"with the code {v}", "speed": f"at {v} speed"}[k])
    t = tool(d.pick([f"{verb}_{noun}", f"{noun}_{verb}", f"{verb}{noun.capitalize()}", f"do_{verb}_{noun}"]), d.pick([f"{verb.capitalize()} the {noun}.", f"Use this to {verb} the {noun}.", f"{verb.capitalize()}s a {noun}."]), **parameters)
    done = VERBS[verb]
    n = d.number(1, 999)
    result, tell = d.pick([("ok", f"the {noun} is {done}."), ("done", f"I have {done} the {noun}."), (f"error: {noun} not found", f"that did not work: the {noun} was not found."), (f"{done}, ticket {n}", f"the {noun} is {done}. the ticket is {n}."),
                           (f'{{"result": {n}}}', f"the {noun} is {done}, and the result is {n}.")])
    return t, d.say("[please |can you |]{v} the {n} {p}[|, please].", v=verb, n=noun, p=" ".join(parts)), f"The tool for this is {t['name']}.", values, result, d.say(tell)


KINDS = [(3, weather), (3, calculator), (3, search), (2, clock), (2, dice_tool), (2, message), (2, calendar), (2, stock), (6, invented)]


def offer(d, needed, most=3):
    """The needed tools among others, in random order."""
    tools, taken = list(needed), {kind for t in needed for kind in _family(t["name"])}
    for _ in range(d.number(0, most)):
        other = d.weighted(KINDS)(d)[0]
        if not taken & set(_family(other["name"])):
            taken.update(_family(other["name"]))
            tools.append(other)
    return d.sample(tools, len(tools))


def call_turn(d, kind=None):
    """(tool, messages of one use)."""
    t, ask, think, arguments, result, answer = (kind or d.weighted(KINDS))(d)
    if d.chance(0.3):
        arguments = dict(reversed(list(arguments.items())))
    first = {"role": "assistant", "content": d.say("[|||||let me look.|one moment.|I will see.]") , "think": think if d.chance(0.8) else "", "calls": [(t["name"], arguments)]}
    return t, [{"role": "user", "content": ask}, first, {"role": "tool", "content": result},
               {"role": "assistant", "content": answer, "think": d.pick(["", "Now I can answer.", "The tool has answered."])}]


def missing(d):
    """Asked for something that no offered tool does."""
    t, ask, *_ = d.weighted(KINDS)(d)
    sorry = d.say("[I am sorry, but I have no tool for that.|I cannot do that with the tools I have.|none of my tools can do that, I am sorry.]")
    return t, [{"role": "user", "content": ask}, {"role": "assistant", "content": sorry, "think": "None of the tools fits."}]


def two_calls(d):
    """The same tool twice in one answer."""
    kind = d.pick([weather, clock])
    while True:
        t, ask, _, one, result, answer = kind(d)
        t2, _, _, two, result2, answer2 = kind(d)
        key, key2 = next(iter(one)), next(iter(two))
        if one[key] != two[key2]:
            break
    two = {key: two[key2]}
    what = "weather" if kind is weather else "time"
    names = f"{one[key]} and {two[key]}"
    return t, [{"role": "user", "content": d.say("[what is the {w} in {n}?|tell me the {w} in {n}.]", w=what, n=names)},
               {"role": "assistant", "content": "", "think": f"I need the {what} in {names}: two calls.", "calls": [(t["name"], one), (t["name"], two)]},
               {"role": "tool", "content": result}, {"role": "tool", "content": result2}, {"role": "assistant", "content": f"{answer} {answer2}", "think": ""}]


def plain_turn(d):
    """A question that needs no tool although there are some."""
    user, think, answer = d.pick([fact_turn, small_talk])(d)
    return [{"role": "user", "content": user}, {"role": "assistant", "content": answer, "think": think}]


def tool_chat(d, turns=None):
    """(messages, tools) of a whole conversation."""
    messages, needed, absent, taken = [], [], set(), set()
    for _ in range(turns or d.weighted([(3, 1), (3, 2), (2, 3), (2, 5)])):
        choice = d.weighted([(12, "call"), (1, "missing"), (1, "two"), (2, "plain")])
        if choice == "plain":
            messages += plain_turn(d)
            continue
        t, more = {"call": call_turn, "missing": missing, "two": two_calls}[choice](d)
        if choice == "missing":
            if taken & set(_family(t["name"])):
                continue
            absent.add(t["name"])
        elif taken & set(_family(t["name"])):
            continue
        else:
            needed.append(t)
        taken.update(_family(t["name"]))
        messages += more
    if not messages:
        return tool_chat(d, turns)
    families = {kind for name in absent for kind in _family(name)}
    tools = [t for t in offer(d, needed) if t in needed or not families & set(_family(t["name"]))]
    if not tools:
        return tool_chat(d, turns)
    return messages, tools


def _family(name):
    """Which everyday kind a tool's name is of, so that a missing tool is not offered under another name."""
    kinds = {"weather": "weather forecast", "sum": "calc compute eval math arithmetic", "search": "search find_page look_up encyclopedia", "time": "clock get_time current_time time_in what_time",
             "dice": "dice roll", "message": "message letter note tell_someone", "calendar": "event calendar appointment remember", "shop": "price stock"}
    return [kind for kind, words in kinds.items() if any(w in name for w in words.split())] or [name]
