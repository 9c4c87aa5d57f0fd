"""The small world of the demo model: the harbour village of Tidewell, its people, places, boats, prices and language.

Everything here is fixed, so that every question about it has one answer; generators read it and never change it. The
village, its people and its language are made up.
"""
from language import Thing

VILLAGE, BAY, ISLAND, RIVER, HILL = "Tidewell", "Heron Bay", "Gull Island", "the Sill", "Larkspur Hill"


class Person:
    """Someone in a text. Pronouns as attributes: .they .them .their .themself; str() is the name."""

    def __init__(self, name, sex, trade="visitor", **more):
        self.name, self.sex, self.trade = name, sex, trade
        self.they, self.them, self.their, self.themself = {
            "f": ("she", "her", "her", "herself"), "m": ("he", "him", "his", "himself")}[sex]
        self.own = name + "'s"
        self.kind = "woman" if sex == "f" else "man"
        self.child = "girl" if sex == "f" else "boy"
        self.known = False
        self.__dict__.update(more)

    def __str__(self):
        return self.name


class Place:
    """`at` has its preposition, `name` its article."""

    def __init__(self, key, name, at, side, near, look, keeps, use):
        self.key, self.name, self.at, self.side, self.near = key, name, at, side, near
        self.look, self.keeps, self.use = look, keeps, use
        self.the = name

    def __str__(self):
        return self.name


def _places(*rows):
    return {row[0]: Place(*row) for row in rows}


PLACES = _places(
    # key, name, at, side of the village, next to, look, what is kept there, what one does there
    ("lighthouse", "the lighthouse", "at the lighthouse", "north", "tidepools", "tall and white with a red door", "the brass telescope", "a lamp is lit every evening to guide the boats home"),
    ("ferry", "the ferry landing", "at the ferry landing", "east", "harbour", "made of old grey planks", "the ferry bell", "people wait for the ferry"),
    ("harbour", "the harbour office", "in the harbour office", "east", "ferry", "small and square with a flag on the roof", "the sea charts", "every boat is written into a big book"),
    ("boatyard", "the boatyard", "at the boatyard", "east", "netloft", "wide and full of wood shavings", "the long saw", "boats are built and mended"),
    ("netloft", "the net loft", "in the net loft", "east", "boatyard", "high and airy with open windows", "the spare ropes", "nets are tied and dried"),
    ("bakery", "the bakery", "in the bakery", "middle", "square", "warm, with a round brick oven", "the copper bowl", "bread and cakes are baked"),
    ("square", "the market square", "on the market square", "middle", "bakery", "paved with round stones", "the stone fountain", "stalls are set up on market day"),
    ("inn", "the Blue Lantern", "at the Blue Lantern", "middle", "post", "low and cosy with blue shutters", "the old piano", "guests eat soup and sleep upstairs"),
    ("post", "the post office", "in the post office", "middle", "inn", "narrow and painted yellow", "the letter scales", "letters and parcels are sorted"),
    ("clockshop", "the clock shop", "in the clock shop", "middle", "reading", "dim and full of ticking", "the silver pocket watch", "clocks are made and mended"),
    ("reading", "the reading room", "in the reading room", "middle", "clockshop", "quiet, with shelves up to the ceiling", "the great atlas", "books are read and lent"),
    ("school", "the schoolhouse", "at the schoolhouse", "south", "doctor", "red, with a bell above the door", "the wooden globe", "children learn to read and count"),
    ("doctor", "the doctor's house", "at the doctor's house", "south", "school", "white with a green gate", "the medicine chest", "sick people are made well"),
    ("smithy", "the smithy", "in the smithy", "west", "bridge", "dark and hot and smoky", "the iron anvil", "iron is hammered into shape"),
    ("bridge", "the stone bridge", "at the stone bridge", "west", "smithy", "old and covered with moss", "the bronze plaque", "the road crosses the river"),
    ("windmill", "the windmill", "at the windmill", "west", "orchard", "round, with four patched sails", "the flour sacks", "grain is ground into flour"),
    ("orchard", "the orchard", "in the orchard", "west", "windmill", "green and humming with bees", "the tall ladder", "apples, plums and honey are gathered"),
    ("hill", HILL, "on " + HILL, "south", "wood", "steep and grassy", "the shepherd's hut", "sheep graze"),
    ("wood", "the pine wood", "in the pine wood", "south", "hill", "cool and full of shadows", "the hollow tree", "mushrooms and firewood are gathered"),
    ("tidepools", "the tide pools", "at the tide pools", "north", "lighthouse", "shallow and full of crabs", "the flat black rock", "children look for shells"),
    ("garden", "the walled garden", "in the walled garden", "south", "school", "sunny and full of herbs", "the green watering can", "vegetables and herbs are grown"),
)

# name, sex, age, trade, what the trade does, place of work, family name, traits, dish, colour, thing owned, fear, hobby
_PEOPLE = """
Mira    f 34 lighthouse keeper | lights the lamp every evening | lighthouse | Tarn | patient, quiet | plum cake | blue | spyglass | thunder | drawing birds
Joss    m 31 ferryman | rows and sails people to Gull Island | ferry | Tarn | cheerful, talkative | fish soup | yellow | tin whistle | geese | singing
Odile   f 52 baker | bakes bread before the sun is up | bakery | Brand | generous, busy | cheese pie | red | rolling pin | mice | telling jokes
Tomas   m 55 miller | grinds grain into flour | windmill | Brand | slow, kind | pancakes | white | straw hat | heights | playing chess
Nell    f 11 pupil | goes to school and asks many questions | school | Brand | curious, brave | apple tart | green | magnifying glass | the dark | collecting shells
Bram    m 47 boat builder | builds and mends boats | boatyard | Oakes | strong, stubborn | bean stew | brown | hammer | deep water | carving wood
Sunniva f 44 doctor | looks after the sick | doctor | Oakes | calm, clever | carrot soup | silver | leather bag | spiders | growing roses
Pim     m 9 pupil | goes to school and climbs trees | school | Oakes | lively, forgetful | jam bread | orange | red kite | big dogs | flying kites
Hester  f 68 librarian | looks after the books | reading | Quill | strict, wise | butter biscuits | purple | reading glasses | fire | writing letters
Agnes   f 71 beekeeper | keeps bees and sells honey | orchard | Quill | gentle, funny | honey bread | gold | smoke pot | frost | knitting
Rufus   m 39 blacksmith | shapes iron in the fire | smithy | Marl | loud, honest | roast turnips | black | leather apron | bees | dancing
Idris   m 14 apprentice | learns to shape iron | smithy | Marl | shy, careful | cherry pie | grey | pocket knife | singing alone | building little machines
Wanda   f 29 fisher | catches herring and crabs | netloft | Reed | daring, quick | fried herring | turquoise | fishing rod | snakes | swimming
Gudrun  f 61 net maker | ties and mends nets | netloft | Reed | proud, thorough | pea soup | violet | wooden needle | owls | solving riddles
Felix   m 36 postman | carries letters to every door | post | Starling | punctual, polite | potato dumplings | pink | letter bag | icy roads | whistling
Lotte   f 33 innkeeper | cooks for guests and makes their beds | inn | Starling | friendly, tidy | onion soup | cream | bunch of keys | empty rooms | playing cards
Ivo     m 8 pupil | goes to school and plays tricks | school | Starling | cheeky, funny | raisin buns | scarlet | slingshot | cold water | racing snails
Ida     f 8 pupil | goes to school and draws on everything | school | Starling | dreamy, stubborn | raisin buns | lilac | box of chalk | moths | painting stones
Caspar  m 58 harbour master | writes every boat into the big book | harbour | Dune | serious, fair | smoked eel | navy blue | sea chart | losing things | making maps
Yara    f 26 music teacher | teaches the fiddle and the flute | school | Dune | merry, restless | lemon cake | crimson | fiddle | silence | dancing
Otto    m 42 clockmaker | makes and mends clocks | clockshop | Finch | exact, nervous | boiled eggs | copper | silver watch | being late | counting stars
Petra   f 40 painter | paints boats, signs and faces | clockshop | Finch | bold, messy | mushroom pie | emerald | paint box | grey days | walking at night
Silas   m 63 shepherd | watches over the sheep | hill | Moor | silent, loyal | mutton stew | dark green | crook | wolves | naming clouds
Fern    f 17 gardener | grows herbs and vegetables | garden | Moor | thoughtful, warm | tomato salad | light green | small spade | snails | drying flowers
"""


def _people():
    out = {}
    for line in _PEOPLE.strip().splitlines():
        head, does, work, family, traits, dish, colour, owns, fear, hobby = (part.strip() for part in line.split("|"))
        name, sex, age, trade = head.split(None, 3)
        person = Person(name, sex, trade, age=int(age), does=does, work=PLACES[work], family=family,
                        traits=traits.split(", "), dish=dish, colour=colour, owns=Thing(owns), fear=fear, hobby=hobby)
        person.known = True
        person.title = "the " + trade if trade != "pupil" else "a pupil"
        out[name] = person
    return out


PEOPLE = _people()
FOLK = list(PEOPLE.values())

# (relation of a to b, a, b); the other direction follows
_TIES = [("sister", "Mira", "Joss"), ("sister", "Hester", "Agnes"), ("wife", "Odile", "Tomas"), ("wife", "Sunniva", "Bram"),
         ("wife", "Lotte", "Felix"), ("wife", "Petra", "Otto"), ("sister", "Ida", "Ivo"),
         ("daughter", "Nell", "Odile"), ("daughter", "Nell", "Tomas"), ("son", "Pim", "Bram"), ("son", "Pim", "Sunniva"),
         ("son", "Idris", "Rufus"), ("daughter", "Wanda", "Gudrun"), ("son", "Ivo", "Felix"), ("son", "Ivo", "Lotte"),
         ("daughter", "Ida", "Felix"), ("daughter", "Ida", "Lotte"), ("daughter", "Yara", "Caspar"),
         ("granddaughter", "Fern", "Silas"), ("best friend", "Nell", "Pim"), ("best friend", "Wanda", "Yara"),
         ("best friend", "Caspar", "Silas"), ("best friend", "Rufus", "Joss"), ("best friend", "Fern", "Idris"),
         ("best friend", "Odile", "Lotte")]
_BACK = {"sister": {"m": "brother", "f": "sister"}, "wife": {"m": "husband"}, "best friend": {"m": "best friend", "f": "best friend"},
         "daughter": {"m": "father", "f": "mother"}, "son": {"m": "father", "f": "mother"},
         "granddaughter": {"m": "grandfather"}}


def _relations():
    """{(person, relation): other}: `other` is the relation of `person`."""
    out = {}
    for relation, a, b in _TIES:
        out[b, relation] = a
        out[a, _BACK[relation][PEOPLE[b].sex]] = b
    return out


RELATIONS = _relations()

# animal, kind, looks, owner, habit
PETS = [("Pepper", "cat", "grey", "Mira", "sleeps beside the lamp"), ("Biscuit", "dog", "brown", "Pim", "chases gulls on the beach"),
        ("Clover", "donkey", "spotted", "Felix", "carries the parcels"), ("Admiral", "parrot", "green", "Caspar", "shouts orders at the boats"),
        ("Bracken", "sheepdog", "black and white", "Silas", "keeps the sheep together"), ("Thistle", "goat", "white", "Fern", "eats hats"),
        ("Waddle", "goose", "white", "Lotte", "guards the door of the inn"), ("Ember", "horse", "chestnut", "Rufus", "pulls the coal cart"),
        ("Button", "mouse", "tiny brown", "Ida", "lives in a coat pocket"), ("Queenie", "hen", "speckled", "Odile", "lays two eggs on Sundays"),
        ("Tock", "owl", "small grey", "Otto", "hoots at noon"), ("Comma", "tortoise", "very old", "Hester", "walks along the bookshelf")]

# boat, colour, owner, used for, length in steps
BOATS = [("Kittiwake", "blue", "Joss", "carrying people to Gull Island", 14), ("Silver Eel", "green", "Wanda", "catching herring", 9),
         ("Old Turnip", "red", "Bram", "fetching timber", 11), ("Morning Star", "white", "Caspar", "meeting ships in the bay", 12),
         ("Nutshell", "yellow", "Pim", "playing in the shallow water", 3), ("Gannet", "black", "Gudrun", "laying nets", 8),
         ("Paper Moon", "purple", "Petra", "painting at sea", 5)]

# event, when
TIMES = [("the first ferry leaves", "at seven in the morning"), ("the last ferry leaves", "at four in the afternoon"),
         ("the market is held", "on Thursday"), ("the bread comes out of the oven", "at six in the morning"),
         ("school begins", "at eight in the morning"), ("school ends", "at one in the afternoon"),
         ("there is music at the Blue Lantern", "on Saturday evening"), ("the post arrives", "on Monday and on Friday"),
         ("the reading room is open", "on Tuesday and on Wednesday"), ("the lamp of the lighthouse is lit", "at dusk"),
         ("the Lantern Feast is held", "on the longest night of winter"), ("the boat race is held", "on the first Sunday of June"),
         ("the apples are picked", "in September"), ("the sheep are shorn", "in May"), ("the honey is gathered", "in July")]
PRICES = {"loaf of bread": 3, "plum cake": 5, "jar of honey": 6, "herring": 1, "candle": 2, "ferry ticket": 4, "bowl of soup": 3,
          "horseshoe": 7, "clock": 40, "basket of apples": 5, "fishing net": 20, "stamp": 1, "ball of wool": 2, "pot of paint": 8,
          "wooden spoon": 2, "bunch of roses": 4}
SELLERS = {"loaf of bread": "Odile", "plum cake": "Odile", "jar of honey": "Agnes", "herring": "Wanda", "ferry ticket": "Joss",
           "bowl of soup": "Lotte", "horseshoe": "Rufus", "clock": "Otto", "fishing net": "Gudrun", "stamp": "Felix",
           "pot of paint": "Petra", "bunch of roses": "Fern"}

# The old language of the bay. The describing word comes second: "navu doro" is a big boat.
NOUNS_OLD = {"boat": "navu", "water": "meli", "house": "koma", "bread": "pasu", "fish": "tirri", "star": "elin", "stone": "grat",
             "bird": "vivu", "fire": "osha", "friend": "tamen", "child": "lilo", "moon": "nuri", "wind": "hasu", "tree": "dremo",
             "key": "klin", "door": "porra", "rope": "sedi", "bee": "zumi", "lamp": "loru", "song": "aria-mu", "dog": "wuffa",
             "cat": "misha", "hand": "palo", "road": "strem", "night": "noka"}
WORDS_OLD = {"big": "doro", "small": "pik", "old": "vetu", "good": "bela", "red": "ruma", "blue": "sini", "white": "alba",
             "warm": "tepa", "cold": "frema", "quiet": "sho", "fast": "zip"}
PHRASES_OLD = {"hello": "sola", "goodbye": "solanu", "thank you": "grami", "yes": "ei", "no": "noi", "please": "pli",
               "good night": "noka bela", "I am hungry": "mi famu", "welcome": "veni tamen"}

OPPOSITES = [tuple(p.split("/")) for p in (
    "hot/cold big/small old/young early/late full/empty heavy/light dark/bright wet/dry loud/quiet fast/slow high/low "
    "open/closed near/far deep/shallow sweet/sour brave/afraid clean/dirty soft/hard rich/poor long/short strong/weak "
    "first/last up/down left/right day/night summer/winter inside/outside smooth/rough thick/thin asleep/awake").split()]
BEASTS = {  # legs, sound, home, child, eats
    "dog": (4, "barks", "kennel", "puppy", "bones"), "cat": (4, "meows", "house", "kitten", "mice"),
    "cow": (4, "moos", "barn", "calf", "grass"), "sheep": (4, "bleats", "fold", "lamb", "grass"),
    "hen": (2, "clucks", "coop", "chick", "grain"), "duck": (2, "quacks", "pond", "duckling", "weeds"),
    "horse": (4, "neighs", "stable", "foal", "oats"), "bee": (6, "hums", "hive", "grub", "nectar"),
    "gull": (2, "screams", "cliff", "chick", "fish"), "owl": (2, "hoots", "hollow tree", "owlet", "mice"),
    "goat": (4, "bleats", "shed", "kid", "almost anything"), "frog": (4, "croaks", "pond", "tadpole", "flies"),
    "goose": (2, "honks", "yard", "gosling", "grass"), "spider": (8, "makes no sound", "web", "spiderling", "flies")}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = {"spring": ("March, April and May", "the lambs are born", "mild and rainy"),
           "summer": ("June, July and August", "the boats race in the bay", "warm and bright"),
           "autumn": ("September, October and November", "the apples are picked", "windy and golden"),
           "winter": ("December, January and February", "the lanterns are hung on every door", "cold and dark")}

# Guests of stories, tables and sums: not of the village, so nothing about them can contradict the tables above.
GUESTS_F = ("Alma Berit Cora Dina Elsa Freya Greta Hanna Ilse Juna Kaja Lena Marit Nora Olga Paula Ronja Selma Tilda Ulla Vera "
            "Willa Xenia Ylva Zora Amara Bela Chiara Daria Esme Flora Gemma Hazel Iris Jade Kira Luna Maya Nina Opal").split()
GUESTS_M = ("Anton Boris Carlo Dario Emil Frode Gustav Hugo Ivar Jonas Knut Lasse Milo Nils Oskar Paul Quentin Rolf Sven Theo Ulrik "
            "Viktor Walter Xaver Yannick Zeno Arlo Basil Cyrus Dexter Edgar Floyd Gideon Harvey Igor Jasper Kasimir Linus Magnus Noel").split()
GUEST_TRADES = [t.replace("_", " ") for t in (
    "sailor carpenter tailor weaver cook peddler singer juggler student traveller farmer mason potter hatter soldier "
    "tinker merchant map_maker basket_weaver candle_maker glass_blower bell_ringer story_teller puppet_player").split()]
OBJECTS = [o.replace("_", " ") for o in ("key lantern map letter compass bell coin ring hat button kettle mirror drum flute rope basket candle book clock feather "
           "shell bottle box boot scarf umbrella teapot marble spoon kite wheel bucket blanket mask violin whistle pencil purse "
           "chair ladder anchor oar pebble necklace telescope jar_of_honey shovel cup crown doll puppet").split()]
ADJECTIVES = ("old small golden silver broken blue red green wooden rusty shiny strange heavy tiny painted forgotten borrowed empty "
              "crooked warm dusty precious secret round curious yellow striped soft iron glass copper beautiful plain noisy").split()
CREATURES = "fox otter heron seal hedgehog crow badger hare squirrel gull owl crab swan frog robin mole cat dog goat goose".split()
FOODS = ("bread soup cheese apples plums honey cake carrots porridge nuts berries pancakes biscuits herring pears onions turnips "
         "eggs butter milk jam").split()
