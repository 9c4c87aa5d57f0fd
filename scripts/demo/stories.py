"""Little stories with causes: plots, their casts, and questions about what happened with their answers.

A plot is a function that tells its beats to a Teller and notes questions; what people of the village are and own comes
from world.py, so that stories and facts never disagree. Guests from outside have names of their own.
"""
import world
from language import Thing, article, count_of, in_words, listing
from world import PLACES, Person

TIMES = ["one morning", "one evening", "early one day", "on a Sunday", "late one afternoon", "one day in spring", "one summer morning",
         "one autumn evening", "one winter night", "on the day before the market", "a long time ago", "last year", "one foggy morning",
         "on a bright day in May", "just after sunrise", "shortly before noon"]
SKIES = ["the sky was grey", "the sun was shining", "it was raining softly", "a cold wind blew from the sea", "fog lay over the bay",
         "the air smelled of salt and smoke", "the first snow was falling", "the gulls were flying low", "the tide was going out",
         "not a leaf was moving", "clouds hung over the hill", "the water was as smooth as glass"]
MORALS = {
    "ask": ["it is easier to find something when you ask for help", "asking is quicker than searching alone"],
    "share": ["what you share becomes more", "a shared thing is worth two", "even a little is enough when everyone gives some"],
    "truth": ["the truth is lighter to carry than a lie", "a mistake is only half as bad once you have told it", "honest words mend more than glue"],
    "brave": ["being brave means going although you are afraid", "most ghosts are only small when you bring a lamp"],
    "help": ["winning is good, but helping is better", "nobody remembers the winner who did not stop to help"],
    "practice": ["everything is hard before it is easy", "a hundred small tries make one big success"],
    "stranger": ["you know a stranger only after you have eaten together", "a strange coat can hide a good heart"],
    "greedy": ["whoever wants everything ends up with nothing", "a greedy hand holds little"],
    "care": ["small kindnesses come back when you need them", "who is kind to small creatures has friends everywhere"],
    "promise": ["a promise is a rope that you must not let go of", "a kept promise is worth more than gold"],
    "lie": ["whoever cries for fun is not heard in need", "a joke that frightens others is not a joke"],
    "look": ["treasure is not always gold", "what we look for is often close to home"],
}


class Teller:
    """One story in the making."""

    def __init__(self, dice, cast=(), thing=None, place=None, brief=False):
        self.dice, self.brief = dice, brief
        self.used = set()
        self.wanted = list(cast)
        self.paragraphs, self.sentences = [], []
        self.questions = []  # [(question, answer)]
        self.c = {"time": dice.pick(TIMES), "sky": dice.pick(SKIES), "village": world.VILLAGE, "bay": world.BAY}
        self.thing(thing)
        self.c["place"] = place or dice.pick(PLACES_USED)

    def person(self, slot, known=None, young=None):
        """Cast someone who is not yet in the story."""
        d = self.dice
        p = self.wanted.pop(0) if self.wanted else None
        while p is None or p.name in self.used:
            if known or (known is None and d.chance(0.55)):
                p = d.pick(world.FOLK)
                if young is True and p.age > 18 or young is False and p.age < 18:
                    p = None
            else:
                sex = d.pick("fm")
                p = Person(d.pick(world.GUESTS_F if sex == "f" else world.GUESTS_M), sex, d.pick(world.GUEST_TRADES))
                p.traits = [d.pick(TRAITS), d.pick(TRAITS)]
        self.used.add(p.name)
        if p.known:
            intro = [f"{p.name}, {p.title}", p.name, f"{p.traits[0]} {p.name}"] if p.trade != "pupil" else [
                p.name, f"little {p.name}", f"{p.name}, who was {in_words(p.age)} years old"]
            p_intro = d.pick(intro)
            if p_intro.endswith(p.trade) or "," in p_intro:
                p_intro += ","
        else:
            p_intro = d.pick([f"{article(p.trade)} called {p.name}", f"{article(p.traits[0])} {p.kind} called {p.name}",
                              f"{article(p.traits[0])} {p.trade} by the name of {p.name}", f"{article(p.trade)} named {p.name}"])
        plain = p_intro if not p.known else f"{p.name} {p.title}" if p_intro.endswith(p.trade + ",") else p_intro.split(",")[0]
        self.c[slot], self.c[slot + "_intro"], self.c[slot + "_plain"] = p, p_intro, plain
        return p

    def thing(self, thing=None, slot="t"):
        self.c[slot] = thing or Thing(self.dice.pick(world.OBJECTS), self.dice.pick(world.ADJECTIVES) if self.dice.chance(0.8) else "")
        return self.c[slot]

    def places(self, count):
        return self.dice.sample([p for p in PLACES_USED if p is not self.c["place"]], count)

    def tell(self, *templates):
        for template in templates:
            text = self.dice.say(template, **self.c)
            if text:
                self.sentences.append(text)

    def maybe(self, template, p=0.5):
        if not self.brief and self.dice.chance(p):
            self.tell(template)

    def pause(self):
        """End of a paragraph."""
        if self.sentences and not self.brief:
            self.paragraphs.append(" ".join(self.sentences))
            self.sentences = []

    def ask(self, question, answer):
        self.questions.append((self.dice.say(question, **self.c), self.dice.say(answer, **self.c)))

    def note(self, **templates):
        """Keep filled templates as parts for later sentences."""
        for slot, template in templates.items():
            self.c[slot] = self.dice.fill(template, **self.c)

    def moral(self, kind):
        self.c["moral"] = self.dice.pick(MORALS[kind])
        self.kind = kind
        if self.dice.chance(0.5):
            self.tell("[since then|from that day on] {p} [knew|said to everyone|never forgot] that {moral}.")

    def text(self):
        self.pause()
        if self.sentences:
            self.paragraphs.append(" ".join(self.sentences))
            self.sentences = []
        return "\n\n".join(self.paragraphs)


TRAITS = "brave clever gentle proud careful cheerful stubborn shy honest curious quick patient lonely merry kind restless quiet wise young old tall".split()
PLACES_USED = list(PLACES.values())


def begin(s):
    """First sentence: who, when, where."""
    d = s.dice
    if d.chance(0.5):
        s.tell("[{time}, {p_intro} was {place.at}.|{time}, {p_intro} went to {place}.|{time}, when {sky}, {p_intro} came to {place}.|"
               "{time}, while {sky}, {p_intro} was standing {place.at}.]")
    elif s.c["p"].known:
        s.tell("this is a story about {p_plain}.", "{time}, {p} was {place.at}, and {sky}.")
    else:
        s.tell("[there was once {p_plain}.|once upon a time there was {p_plain}.|not far from {village} lived {p_plain}.]",
               "{time}, {p.they} [came|went] to {place}[| because {p.they} wanted to see the sea|, and {sky}].")
    s.maybe("{place} was {place.look}.", 0.25)


def lost(s):
    p = s.person("p")
    s.c["t"] = p.owns if p.known and s.dice.chance(0.5) else s.c["t"]
    q = s.person("q")
    begin(s)
    a, b = s.places(2)
    s.c.update(a=a, b=b)
    s.tell("[{p.they} put {p.their} hand into {p.their} pocket and [turned pale|stood still]|suddenly {p.they} stopped]: {p.their} {t} was gone!",
           "[\"I had it this morning,\" {p.they} said.|\"without my {t} I am only half a {p.kind},\" {p.they} said.|{p.they} looked into every corner, but there was nothing.]")
    s.pause()
    s.tell("[first|at once] {p.they} [ran|went|hurried] to {a}, because {p.they} had been there [the day before|in the morning|after breakfast].",
           "[but nobody had seen it there|there was nothing but dust|{a} was empty].",
           "then {p.they} [searched|looked] {b.at}[, under every stone|, behind every door|, until it grew dark], but [that was no use|{t.the} was not there either].")
    s.pause()
    thief, where, why = s.dice.pick([
        ("a magpie", "in its nest on the roof", "magpies love everything that shines"),
        ("a small dog", "under its blanket", "it smelled of breakfast"),
        ("the wind", "in a bush behind the house", "it had blown hard all night"),
        ("a goat", "in its shed", "goats want to taste everything"),
        ("a sleepy child", "in the pocket of the wrong coat", "the two coats looked the same"),
        ("the tide", "on the beach between two stones", "the water had risen in the night"),
        ("a hedgehog", "under a heap of leaves", "it was building a bed for the winter"),
        ("a crow", "in the old oak", "crows collect what they do not understand")])
    s.c.update(thief=thief, where=where, why=why)
    s.tell("[at last|in the end|in the evening] {p} [asked|told] {q_plain}[| about it].",
           "{q} [thought for a while and|smiled and|scratched {q.their} head and] said: \"[I have seen {thief} with something like that|have you asked about {thief}|it must have been {thief}][.|!]\"",
           "[they went to look together|together they went and looked], and there it was, {where}!",
           "{thief} had taken it, because {why}.")
    s.tell("[{p} laughed|{p} was so glad that {p.they} danced|{p} hugged {q}] and [invited {q} to supper|gave {q} [a bag of apples|a piece of cake|a warm scarf]|promised to help {q} the next time].")
    s.moral("ask")
    s.ask("[what did {p} lose|what was {p} looking for]?", "[{p} lost {p.their} {t}.|{p.they} was looking for {p.their} {t}.]")
    s.ask("[where was {t.the} in the end|where did they find {t.the}]?", "[it was {where}.|they found it {where}.]")
    s.ask("why had {thief} taken it?", "because {why}.")
    s.ask("who helped {p}?", "{q} helped {p.them}.")
    s.ask("where did {p} look first?", "{p.they} looked {a.at} first.")


def fog(s):
    p, q = s.person("p"), s.person("q")
    s.c["place"] = PLACES["harbour"] if s.dice.chance(0.3) else PLACES["lighthouse"]
    cause = s.dice.pick(["the oil was used up", "the glass was broken", "a gull had flown into the lamp", "the wick was wet", "the storm had torn the roof"])
    s.c["cause"] = cause
    s.tell("{time}, [thick fog came in from the sea|a storm rose over {bay}|it became so dark that nobody could see their own hand].",
           "[out on the water|far out in the bay] was {q_plain}[, alone in a small boat|, rowing home with a net full of herring|, and the boat was taking in water].",
           "the lamp of the lighthouse did not shine, because {cause}.")
    s.pause()
    s.tell("{p_plain} [stood|was] on the shore and heard [a faint shout|{q} calling|someone calling for help].",
           "\"[without a light {q} will hit the rocks|{q} cannot see the way home|somebody must do something]!\" {p.they} [cried|said].")
    way, detail = s.dice.pick([
        ("made a great fire of driftwood on the beach", "{p.they} carried wood until {p.their} arms hurt"),
        ("rang the school bell as loudly as {p.they} could", "{p.they} pulled the rope again and again"),
        ("hung forty lanterns on a fishing net", "people brought a lantern from every house"),
        ("beat on the big copper bowl of the bakery", "it sounded like thunder over the water"),
        ("took {t.the} and held it into the light of a fire so that it flashed", "{t.the} had never been so useful")])
    s.note(way=way)
    s.note(detail=detail)
    s.tell("so {p.they} {way}.", "{detail}.", "[after an hour|after a long time|at last] a dark shape came out of the [fog|dark]: it was {q}[, wet and cold but safe|, pale and happy|].")
    s.pause()
    s.tell("[\"I heard you,\" said {q}, \"and I knew where home was.\"|\"you have saved me,\" said {q}, shaking with cold.|{q} could not speak, but held {p.own} hand for a long time.]",
           "[the next day they mended the lamp together|the next day the lamp was mended|everyone in {village} drank hot soup that night].")
    s.moral("brave")
    s.ask("why did the lamp not shine?", "[it did not shine |]because {cause}.")
    s.ask("[what did {p} do|how did {p} help {q}]?", "{p.they} {way}.")
    s.ask("who was out on the water?", "{q} was out on the water.")


def trade_chain(s):
    p, q = s.person("p"), s.person("q")
    have = s.c["t"]
    nouns = s.dice.sample([o for o in world.OBJECTS if o != have.noun], 4)
    s.c["want"] = Thing(nouns[3], s.dice.pick(world.ADJECTIVES))
    reason = s.dice.pick(["it was {q.own} birthday", "{q} had been ill", "{q} was sad", "{q} had once helped {p.them}", "{q} was leaving the next day"])
    s.note(reason=reason)
    begin(s)
    s.tell("{p.they} wanted to give {q_plain} {want.a}, because {reason}.", "but {p.they} had no coins at all. [all {p.they} owned was {t.a}|{p.they} only had {t.a}].")
    s.pause()
    steps, holding = s.dice.number(1, 3), have
    s.c["first"] = have
    helpers = []
    for i in range(steps):
        r = s.person("r")
        helpers.append(r.name)
        s.c["holding"] = holding
        last = i == steps - 1
        nxt = s.c["want"] if last else Thing(nouns[i], s.dice.pick(world.ADJECTIVES))
        s.c["next"] = nxt
        s.tell("[{place.at} {p.they} met|on the road {p.they} met|then {p.they} came to|after a while {p.they} met] {r_plain}, who [needed|was looking for|had always wanted] {holding.a}.",
               "[\"I will give you my {next} for it,\" said {r}.|{r} offered {p.them} {next.a} for it.|\"let us trade,\" said {r}, and gave {p.them} {next.a}.]")
        holding = nxt
        s.pause()
    s.tell("[so|and so] in the evening {p} stood at {q.own} door with {want.a} in {p.their} hands.",
           "{q} [laughed and cried at the same time|was so happy that {q.they} could not say a word|put the kettle on at once].",
           "[\"where did you get it?\" {q.they} asked. \"it all began with {first.a},\" said {p}.|they sat together until the stars came out.]")
    s.moral("share")
    s.ask("why did {p} want to give {q} something?", "because {reason}.")
    s.ask("what did {p} have at the beginning?", "{p.they} had {first.a}.")
    s.ask("what did {q} get in the end?", "{q} got {want.a}.")
    s.c["helpers"] = listing(helpers)
    s.ask("[with whom did {p} trade|who traded with {p}]?", "{p} traded with {helpers}.")


def quarrel(s):
    p, q, r = s.person("p"), s.person("q"), s.person("r")
    begin(s)
    idea, result = s.dice.pick([
        ("each of you keeps it for one week", "it wandered from house to house like a guest"),
        ("put it where everyone can use it", "soon the whole village was glad of it"),
        ("let the one who laughs first give it up", "both of them laughed at the same moment"),
        ("sell it and buy a cake for two", "the cake was eaten before the sun went down"),
        ("write both your names on it", "the names stood side by side, as close as friends")])
    s.c.update(idea=idea, result=result)
    s.tell("[there {p.they} found|in the grass lay|between two stones lay] {t.a}.",
           "[just then {q_plain} came along and saw it too|{q_plain} saw it at the same moment].",
           "\"[it is mine|I saw it first]!\" [said|cried] {p}. \"no, [it is mine|I was here before you]!\" [said|cried] {q}.",
           "[they pulled and shouted until the gulls flew away|they did not speak to each other for [two|three|five] days|they became redder and redder].")
    s.pause()
    s.tell("{r_plain} [heard them and came closer|had watched them for a while]. \"[why do you shout|what is the matter]?\" {r.they} asked[, and listened to both|].",
           "\"I have an idea,\" said {r}. \"{idea}.\"",
           "[{p} looked at {q}, and {q} looked at {p}|it was quiet for a moment]. then [they nodded|both began to smile|they shook hands].",
           "and so it was done, and {result}.")
    s.moral("share")
    s.ask("[why did {p} and {q} quarrel|what did {p} and {q} quarrel about]?", "[they quarrelled about {t.a}|both of them wanted {t.the}].")
    s.ask("who had the idea?", "{r} had the idea.")
    s.ask("what was {r.own} idea?", "\"{idea}.\"")


def broken(s):
    p = s.person("p")
    q = s.person("q")
    s.c["t"] = q.owns if q.known and s.dice.chance(0.6) else s.c["t"]
    how = s.dice.pick(["was running although {p.they} had been told to walk", "was dancing with closed eyes", "was looking at the gulls instead of {p.their} feet",
                       "wanted to carry too many things at once", "was playing with a ball inside the house"])
    s.note(how=how)
    s.tell("{q_plain} had {t.a} and [was very proud of it|loved it more than anything|had got it from {q.their} grandmother].",
           "{time}, {p_plain} {how}, and [crash|bang|crack]! {t.the} [lay broken on the floor|fell and broke].")
    s.c["hide"] = s.dice.pick(["under a blanket", "behind a barrel", "in a hole in the garden", "at the bottom of a basket", "under the bed"])
    s.tell("{p} was [frightened|ashamed|very pale]. [quickly|without a word] {p.they} hid the pieces {hide}.")
    s.pause()
    s.tell("that night {p} could not sleep. [it felt as if the pieces were calling|whenever {p.they} closed {p.their} eyes, {p.they} heard the crash again|even {p.their} supper had tasted of nothing].",
           "[in the morning|as soon as the sun rose] {p.they} went to {q}. \"I have broken your {t},\" {p.they} said, \"and I am sorry.\"")
    s.pause()
    s.tell("{q} was silent for a while. [then {q.they} sighed|then {q.they} put {q.their} hand on {p.own} shoulder]. \"[thank you for telling me|I am glad that you told me],\" {q.they} said. \"come, we will mend it together.\"",
           "they [worked|glued and tied|sat at the table] until noon. [you could still see the cracks, but {q} said that they looked like rivers on a map|in the end it was [stronger|more beautiful] than before].")
    s.moral("truth")
    s.ask("[how did {t.the} break|why did {t.the} break]?", "{p} {how}, and so it fell and broke.")
    s.ask("where did {p} hide the pieces?", "{p.they} hid them {hide}.")
    s.ask("why could {p} not sleep?", "because {p.they} had broken {q.own} {t} and had not told {q.them}.")
    s.ask("what did {q} say?", "{q} thanked {p} for telling the truth, and they mended it together.")


def noise(s):
    p, q = s.person("p"), s.person("q")
    animal = s.dice.pick(["an owl", "a young seal", "a kitten", "a hedgehog", "a goat", "a fox cub", "a goose", "a badger", "a lamb"])
    sound = s.dice.pick(["a long howling", "a scratching and knocking", "a strange sighing", "something like weeping", "a clatter of chains", "a slow tapping"])
    stuck = s.dice.pick(["was caught in an old net", "had its head in a jar", "had fallen into a barrel", "was tangled in a rope", "had one foot stuck between two boards"])
    s.c.update(animal=animal, sound=sound, stuck=stuck, the_animal="the " + animal.split(" ", 1)[1])
    s.tell("every night for [three nights|a week|five nights] there was {sound} {place.at}.",
           "\"it is a ghost,\" [whispered|said] {q_plain}, and [locked the door|pulled the blanket over {q.their} head|would not go near {place} any more].",
           "[soon everyone was talking about it|people began to walk the long way round].")
    s.pause()
    s.tell("only {p_plain} [wanted to know what it was.|was not sure.|said: \"ghosts do not need to make noise.\"]",
           "[{p.their} knees were shaking|{p.their} heart beat loudly], but {p.they} took [a lantern|a lamp|{t.a} and a lantern] and went to {place} [in the middle of the night|when the moon was up].",
           "[there it was again|and there it was]: {sound}! {p} held up the light[, and then {p.they} had to laugh|].",
           "it was {animal}! the poor creature {stuck}.")
    s.pause()
    s.tell("[gently|slowly and carefully] {p} set it free[ and gave it some water|, and it looked at {p.them} for a long time|].",
           "the next morning {p.they} told {q}, who [turned red|laughed until {q.their} eyes were wet|did not want to believe it at first].",
           "[and sometimes {the_animal} came back and sat near {p.own} door|from then on the nights {place.at} were quiet].")
    s.moral("brave")
    s.ask("what was the noise?", "it was {animal} that {stuck}.")
    s.ask("what did {q} think it was?", "{q} thought that it was a ghost.")
    s.ask("where did the noise come from?", "it came from {place}.")
    s.ask("who went to look?", "{p} went to look, although {p.they} was afraid.")


def contest(s):
    p, q = s.person("p"), s.person("q")
    what, doing, trouble = s.dice.pick([
        ("the boat race", "row", "{q.own} oar broke"), ("the kite contest", "fly a kite", "{q.own} string tore"),
        ("the baking contest", "bake", "{q.own} flour fell into the mud"), ("the great hill run", "run", "{q} fell and hurt {q.their} foot"),
        ("the snow sculpture contest", "build with snow", "{q.own} sculpture fell over"), ("the fishing contest", "fish", "{q} fell into the water")])
    s.c.update(what=what, doing=doing)
    s.note(trouble=trouble)
    s.tell("[it was the day of {what}|at last the day of {what} had come], and [all of {village} was there|everyone had come to watch].",
           "{p_plain} had practised for [weeks|a whole month|half a year]. [the prize was {t.a}|the winner would get {t.a}], and {p.they} [wanted it very much|had dreamed of it every night].",
           "[nobody could {doing} as well as {p}, people said, except perhaps {q_plain}|only {q_plain} was as good as {p}].")
    s.pause()
    s.tell("[at first {p} was ahead|everything went well, and {p} was in front]. but then, just before the end, {trouble}.",
           "[{p} stopped|{p} looked back]. [\"if I go on, I win,\" {p.they} thought. \"if I stop, I lose.\"|it took {p.them} only a moment to decide.]",
           "{p.they} [turned round and helped {q}|went back and helped {q}|gave {q} what {q.they} needed], and [others|three others] passed them both.")
    s.pause()
    s.tell("so {p} did not win {t.the}. but [in the evening|when the music began] {q} stood up and told everyone what had happened[, and all the people clapped|].",
           "[\"next year we start together,\" said {q}|they danced until midnight|{q} baked {p.them} a cake as big as a wheel].")
    s.moral("help")
    s.ask("why did {p} not win?", "because {p.they} stopped to help {q}.")
    s.ask("what was the prize?", "the prize was {t.a}.")
    s.ask("what happened to {q}?", "{trouble}.")


def joke(s):
    p = s.person("p", young=True if s.dice.chance(0.5) else None)
    q = s.person("q")
    danger = s.dice.pick(["the bridge is falling", "a wolf is on the hill", "the bakery is on fire", "a whale is in the harbour", "the river is rising", "pirates are coming"])
    times = s.dice.number(2, 3)
    s.c.update(danger=danger, times=in_words(times))
    begin(s)
    s.tell("{p.they} was bored. so {p.they} ran through the streets and shouted: \"{danger}!\"",
           "[people dropped everything and ran|everyone came running, {q_plain} first of all], but there was nothing to see. {p} laughed[ and laughed| until {p.their} belly hurt].",
           "{p.they} did it {times} times, and [each time fewer people came|each time people grew angrier].")
    s.pause()
    s.tell("then, [one night|a week later|on a stormy evening], it was true. [\"{danger}!\" cried {p}, as loudly as {p.they} could.|{p} ran from door to door and cried: \"{danger}!\"]",
           "but nobody came. \"[another joke|we know your jokes],\" they said and [closed their windows|went on eating].")
    s.tell("only {q} [looked at {p.own} face and saw real tears|heard that the voice was different], and {q.they} rang the bell. [just in time, everybody came to help|so it ended well, but only just].")
    s.moral("lie")
    s.ask("what did {p} shout?", "{p.they} shouted: \"{danger}!\"")
    s.ask("why did nobody come at the end?", "because {p} had lied {times} times before.")
    s.ask("who believed {p}?", "{q} believed {p.them}.")


def soup(s):
    p = s.person("p")
    begin(s)
    cause = s.dice.pick(["the harvest had been bad", "no boat had come for weeks", "a long frost had killed the gardens", "the mill was broken", "the nets had stayed empty"])
    s.c["cause"] = cause
    foods = s.dice.sample(world.FOODS[:12] if s.dice.chance(0.5) else world.FOODS, s.dice.number(3, 5))
    givers, gifts = [], []
    s.tell("it was a hungry time, because {cause}. [everyone hid the little that was left|people kept their doors closed].",
           "{p} carried a big pot to the market square, filled it with water and put {t.a} into it.",
           "[\"what are you cooking?\" people asked. \"{t} soup,\" said {p}. \"it is very good. only a little something is missing.\"]")
    s.pause()
    for food in foods:
        r = s.person("r")
        s.c["food"] = food
        givers.append(r.name)
        gifts.append(food)
        s.tell("[{r_plain} brought some {food}.|then {r_plain} came with {food}.|\"I still have some {food},\" said {r_plain}.]")
    s.pause()
    s.c.update(n=in_words(len(foods)), gifts=listing(gifts), givers=listing(givers))
    s.tell("[in the end|when evening came] the pot was full of {gifts}, and it smelled wonderful. [everyone ate until they were full|there was enough for all].",
           "[\"who would have thought that you can make soup from {t.a}!\" people said|at the bottom of the pot lay {t.the}, and {p} put it back into {p.their} pocket with a smile].")
    s.moral("share")
    s.ask("why were the people hungry?", "because {cause}.")
    s.ask("what was in the soup?", "there was {gifts} in the soup[|, and {t.a}].")
    s.ask("who brought something?", "{givers} brought something.")
    s.ask("how many people brought something?", "{n} people: {givers}.")


def treasure(s):
    p, q = s.person("p"), s.person("q")
    a, b, c = s.places(3)
    s.c.update(a=a, b=b, c=c)
    box = s.dice.pick([("a letter from {q.own} grandfather", "it said: \"whoever finds this, plant a tree for me\""),
                       ("a bag of seeds", "in spring they grew into flowers that nobody had ever seen"),
                       ("a little flute", "it still played, soft and clear"), ("a picture of the village as it was a hundred years ago", "the lighthouse was still a heap of stones"),
                       ("seven silver buttons and a note", "it said: \"these were all I had, and I was happy\""), ("nothing but sand", "but the two of them had become friends on the way")])
    s.note(found=box[0], more=box[1])
    begin(s)
    s.tell("[near {t.a} {p.they} found|behind {t.a} {p.they} found|under {t.a} lay] a piece of paper. it was a map!",
           "{p.they} showed it to {q_plain}. \"[we must follow it|let us go at once],\" said {q}[, whose eyes were shining|].")
    s.pause()
    s.tell("the first [sign|clue] led them to {a}. [there a small arrow was cut into the wood|on a stone they found a small arrow].",
           "the second [sign|clue] was {b.at}, [behind a loose brick|high up, where only {p} could reach it|under the snow].",
           "the third told them to [dig|look] {c.at}. [they dug until their hands hurt|it was already getting dark|a crow watched them all the time].")
    s.pause()
    s.tell("and there was a box! [slowly|with cold fingers] they opened it. inside was {found}. {more}.",
           "[\"is that all?\" asked {q}. {p} smiled. \"it was the best day of the year,\" {p.they} said.|they looked at each other and laughed.]")
    s.moral("look")
    s.ask("what was in the box?", "there was {found} in the box.")
    s.ask("where did the first clue lead?", "it led to {a}.")
    s.ask("where was the box?", "the box was {c.at}.")
    s.ask("who went with {p}?", "{q} went with {p.them}.")


MASTERS = {"swim": "Wanda", "whistle": "Joss Felix Silas", "read": "Hester Caspar Sunniva Felix Mira", "row": "Joss Wanda Bram Caspar",
           "climb": "Pim Tomas", "play the fiddle": "Yara", "bake bread": "Odile Lotte Tomas", "tie a good knot": "Gudrun Wanda Bram Joss"}


def practice(s):
    p, q = s.person("p"), s.person("q")
    skill, base, need = s.dice.pick([craft for craft in (
        ("swim", "swimming", "a child fell into the harbour and only {p} was near"),
        ("whistle", "whistling", "the sheep were lost in the fog and only a loud whistle could call them"),
        ("read", "reading", "a letter came that had to be read at once"),
        ("row", "rowing", "the ferry was stuck and a doctor had to cross the water"),
        ("climb", "climbing", "a kitten sat on the highest branch and could not come down"),
        ("play the fiddle", "playing", "the fiddler was ill on the night of the Lantern Feast"),
        ("bake bread", "baking", "the baker had hurt her hand on the day before the feast"),
        ("tie a good knot", "tying knots", "a boat was drifting away in the storm")) if p.name not in MASTERS[craft[0]]])
    days = s.dice.number(5, 30)
    s.c.update(skill=skill, base=base, days=in_words(days))
    s.note(need=need)
    begin(s)
    s.tell("{p.they} could do many things, but {p.they} could not {skill}. [some people laughed about it|{p.they} was a little ashamed of it].",
           "\"[will you teach me|can you show me]?\" {p.they} asked {q_plain}. \"yes,\" said {q}, \"but you must try every day.\"")
    s.pause()
    s.tell("the first day was terrible. [the second was worse|{p} wanted to give up]. {p.their} [arms|ears|fingers] hurt, and [even the gulls seemed to laugh|everything went wrong].",
           "but {p} tried again, every day, for {days} days. [then, one morning, it suddenly worked|little by little it became better].")
    s.pause()
    s.tell("[not long after|one week later|that very winter] something happened: {need}.",
           "[{p} did not think twice|\"I can {skill} now,\" thought {p}]. [{p.they} did just what {q} had taught {p.them}|{p.their} heart beat fast, but {p.their} hands knew what to do], and everything ended well.",
           "\"[you see|well done],\" said {q}[ and nodded|, and that was all|].")
    s.moral("practice")
    s.ask("what did {p} want to learn?", "{p.they} wanted to learn to {skill}.")
    s.ask("who taught {p}?", "{q} taught {p.them}.")
    s.ask("how long did {p} practise?", "{p.they} practised for {days} days.")
    s.ask("why was it good that {p} had learned it?", "because {need}.")


def stranger(s):
    q = s.person("q", known=True)
    s.c["q2"] = q
    p = s.person("p", known=False)
    odd = s.dice.pick(["wore a coat made of a hundred patches", "spoke to the birds", "carried a door on {p.their} back", "never took off {p.their} hat", "walked backwards when it rained"])
    s.note(odd=odd)
    help_, s.c["thanks"] = s.dice.pick([
        ("the well was dry", "showed them where to dig, and clear water came"),
        ("the windmill stood still", "climbed up and oiled the great wheel, and the sails turned again"),
        ("all the hens had run away", "called them in a strange soft voice, and they came back one after the other"),
        ("the roof of the school leaked", "mended it with old sails in a single night"),
        ("the children could not sleep", "sang a slow song at the fountain until every window was dark"),
        ("the flood had taken the small bridge", "built a new one out of three trees and forty knots")])
    s.c["trouble"] = help_
    s.tell("{time}, {p_intro} came to {village}. {p.they} {odd}.",
           "[people looked out of their windows and shook their heads|\"I do not trust {p.them},\" said {q_plain}|mothers called their children into the house].",
           "only {q} [gave {p.them} a bowl of soup|said good morning|asked {p.them} in and offered {p.them} a chair].")
    s.pause()
    s.tell("[a few days later|the next week] there was trouble: {trouble}. nobody knew what to do.",
           "then {p} [stood up|put down {p.their} spoon|came forward] and {thanks}.",
           "[it was very quiet for a moment. then everybody cheered|people looked at their shoes, because they were ashamed|\"how did you do that?\" asked {q}. {p} only smiled].")
    s.pause()
    s.tell("[{p} stayed for the winter|the next day {p} went on along the road|in spring {p} went away again]. [{p.they} left {t.a} for {q}|on the table lay {t.a}, a present for {q}].")
    s.moral("stranger")
    s.ask("what was strange about {p}?", "{p.they} {odd}.")
    s.ask("what was the trouble?", "{trouble}.")
    s.ask("[what did {p} do|how did {p} help]?", "{p.they} {thanks}.")
    s.ask("what did {p} leave for {q}?", "{p.they} left {t.a} for {q.them}.")


def fable(s):
    d = s.dice
    a, b = d.sample(world.CREATURES, 2)
    food = d.pick(world.FOODS)
    s.c.update(a=a, b=b, food=food, A="the " + a, B="the " + b, many=in_words(d.number(3, 12)))
    s.c["p"] = s.c["A"]
    end, why = d.pick([
        ("the branch broke under the weight, and everything fell into the river", "{A} had tried to carry everything at once"),
        ("while {A} was counting, the rain came and spoiled it all", "{A} would not stop counting"),
        ("{A} was so full that it could not run when the dog came, and had to leave everything behind", "{A} had eaten far too much"),
        ("a big wave came and took it all away", "{A} had hidden it too close to the water")])
    s.note(end=end, why=why)
    s.tell("[once there lived|in the pine wood lived|by the river lived] {a_a} and {a_b}.".replace("{a_a}", article(a)).replace("{a_b}", article(b)),
           "{time}, they found {many} baskets of {food}. \"[half for you and half for me|let us share],\" said {B}.",
           "\"no,\" said {A}, \"[I saw them first|I am bigger than you|I need more than you]. all of them are mine!\"")
    s.pause()
    s.tell("so {B} went away [without a word|hungry]. but then {end}.",
           "{A} sat there [and wept|with empty paws|in the mud]. [after a while {B} came back|in the evening {B} came by] and had brought [a little bread|a few nuts|some berries]. \"come,\" said {B}, \"this is enough for two.\"")
    s.c["moral"] = d.pick(MORALS["greedy"])
    s.kind = "greedy"
    if d.chance(0.6):
        s.tell("and {A} understood: {moral}.")
    s.ask("what did they find?", "they found {many} baskets of {food}.")
    s.ask("why did {A} lose everything?", "because {why}.")
    s.ask("who wanted to share?", "{B} wanted to share.")
    s.ask("what happened in the end?", "{B} shared with {A}, although {A} had wanted everything.")


def errand(s):
    p, q, r = s.person("p"), s.person("q"), s.person("r")
    a, b = s.places(2)
    block, how = s.dice.pick([("the bridge was closed", "{p.they} waded through the cold river"), ("a herd of sheep stood in the road", "{p.they} sang until they moved"),
                              ("it began to hail", "{p.they} put a bucket on {p.their} head and went on"), ("the road was covered with ice", "{p.they} sat down on a board and slid"),
                              ("a big dog barked at the gate", "{p.they} gave it {p.their} sandwich"), ("it became dark", "{p.they} followed the light of the lighthouse")])
    s.c.update(block=block, a=a, b=b)
    s.note(how=how)
    why = s.dice.pick(["it was a secret present", "{r} was waiting for it", "the ferry would leave in the evening", "{r} could not work without it", "it had been lost for ten years"])
    s.note(why=why)
    s.tell("\"{p}, [can|will] you do something for me?\" asked {q_plain} {time}. \"[take|bring] {t.this} to {r_plain}, {place.at}, before the sun goes down. it is important.\"".replace("{t.this}", "this " + s.c["t"].name),
           "\"I promise,\" said {p}. it was important because {why}.")
    s.pause()
    s.tell("[on the way|soon] {p} came past {a}. [friends were playing there|somebody was selling hot pancakes there|there was music]. \"[stay with us|come and join us]!\" they called, but {p} [shook {p.their} head|only waved].",
           "then, near {b}, {block}. [\"now I must turn back,\" {p.they} thought. \"but I promised.\"|for a moment {p.they} did not know what to do.] so {how}.")
    s.pause()
    s.tell("[the sun was just touching the sea|the last light was on the roofs] when {p} [knocked|came in], [wet and tired|out of breath]. \"[here it is|from {q}],\" {p.they} said.",
           "{r} [took {t.the} with both hands|could hardly believe it]. [\"you came in time,\" {r.they} said.|\"sit down by the fire,\" {r.they} said, \"you are the best messenger in {village}.\"]")
    s.moral("promise")
    s.ask("what did {p} have to bring?", "{p.they} had to bring {t.a} to {r}.")
    s.ask("why was it important?", "because {why}.")
    s.ask("what happened near {b}?", "{block}, so {how}.")
    s.ask("who sent {p}?", "{q} sent {p.them}.")


def kindness(s):
    p = s.person("p")
    animal = s.dice.pick(["mouse", "gull", "hedgehog", "crab", "sparrow", "old donkey", "toad", "bee", "duckling", "swan"])
    hurt = s.dice.pick(["had a thorn in its foot", "was cold and wet", "could not fly", "had lost its way", "was hungry", "was caught under a stone"])
    back = s.dice.pick([("lost {p.their} way in the fog", "led {p.them} home"), ("was locked in by mistake", "brought {p.them} the key"),
                        ("fell asleep too close to the fire", "woke {p.them} just in time"), ("dropped {p.their} {t} into the water", "dived down and brought it back"),
                        ("could not find {p.their} {t}", "showed {p.them} where it was")])
    s.c.update(animal=animal, an=article(animal), hurt=hurt, N="the " + animal)
    s.note(need=back[0], back=back[1])
    begin(s)
    s.tell("there {p.they} saw {an} that {hurt}. [others had walked past it|nobody else had noticed it].",
           "[\"you poor thing,\" said {p}|{p} knelt down]. {p.they} [helped it and gave it a warm place|wrapped it in {p.their} scarf and took care of it|sat with it until it was better].",
           "[after three days|the next morning|a week later] {N} [went on its way|was well again and left]. [\"such a small animal cannot thank you,\" people said|{p} missed it a little].")
    s.pause()
    s.tell("[in winter|many weeks later|one dark evening] {p} {need}. [{p.they} called, but nobody heard {p.them}|it looked very bad]. [suddenly|just then] {N} was there! it {back}.",
           "[\"so you have not forgotten me,\" said {p} softly|{p} laughed with joy|from then on a bowl of food stood in front of {p.own} door every night].")
    s.moral("care")
    s.ask("what was wrong with {N}?", "it {hurt}.")
    s.ask("how did {N} thank {p}?", "when {p} {need}, {N} {back}.")
    s.ask("what did {p} do for {N}?", "{p.they} helped it and took care of it.")


PLOTS = [lost, fog, trade_chain, quarrel, broken, noise, contest, joke, soup, treasure, practice, stranger, fable, errand, kindness]
TITLES = {"lost": "The Lost {t}", "fog": "The Night Without a Lamp", "trade_chain": "From {first.a} to {want.a}", "quarrel": "Two Friends and {t.a}",
          "broken": "The Broken {t}", "noise": "The Noise {place.at}", "contest": "The Prize", "joke": "The Joke", "soup": "{t} Soup", "treasure": "The Map",
          "practice": "How {p} Learned to {skill}", "stranger": "The Stranger", "fable": "{A} and {B}", "errand": "The Promise", "kindness": "{p} and {N}"}


class Story:
    """A finished story: text, title, questions [(question, answer)], moral, names."""

    def __init__(self, teller, plot):
        self.text = teller.text()
        self.title = " ".join(w if w in ("a", "an", "and", "at", "in", "of", "on", "the", "to") else w[:1].upper() + w[1:]
                              for w in teller.dice.say(TITLES[plot.__name__], **teller.c).split())
        self.title = self.title[:1].upper() + self.title[1:]
        self.questions = teller.questions
        self.moral = teller.c["moral"]
        self.context = teller.c
        self.names = sorted(teller.used)
        self.plot = plot.__name__


def make(dice, cast=(), thing=None, place=None, plot=None, brief=False):
    teller = Teller(dice, cast, thing, place, brief)
    plot = plot or dice.pick(PLOTS)
    plot(teller)
    return Story(teller, plot)
