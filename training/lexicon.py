"""The closed lexicon and the templates that every sentence of the corpus is made of."""

# slot -> its values
LEXICON = {}


def words(name, listed, separator=None):
    """Gives a slot its values: single words, or phrases between separators."""
    LEXICON[name] = [word.strip() for word in listed.split(separator) if word.strip()]


words(
    "name",
    "Anna Peter Maria David Sarah Thomas Laura Michael Emma Daniel Julia Robert Alice James Helen George Susan "
    "Martin Karen Oliver Sophie Henry Grace Victor Nina Simon Clara Oscar Ruth Leo",
)
words("surname", "Miller Brown Wilson Taylor Clark Walker Baker Young King Green Carter Cooper Parker Morgan Bennett")
words("title", "Doctor Professor Captain Judge Sergeant")
words(
    "city",
    "London Paris Berlin Madrid Rome Boston Chicago Denver Dublin Toronto Vienna Sydney Oxford Tokyo Athens "
    "Lisbon Moscow Warsaw Cairo Seattle Dallas Houston Munich Hamburg Geneva",
)
words(
    "country", "France Germany Spain Italy Canada Japan Brazil India Mexico Norway Sweden Poland Egypt Ireland Greece"
)
words("day", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
words("month", "January February March April May June July August September October November December")
words("season", "spring summer autumn winter")
words("daypart", "morning afternoon evening night")
words(
    "when",
    "today, tomorrow, tonight, this morning, this afternoon, this evening, next week, next month, next year, "
    "on the weekend, at noon, at midnight, right now, very soon, later",
    ",",
)
words(
    "past_when",
    "yesterday, last night, last week, last month, last year, two days ago, a week ago, this morning, "
    "a few hours ago, long ago, earlier today",
    ",",
)
words("wadj", "sunny cloudy windy rainy cold warm hot dry wet foggy stormy mild cool humid freezing pleasant")
words("precip", "rain snow hail fog thunder wind sunshine showers clouds frost ice storms")
words("region", "north south east west mountains valley coast city country desert islands hills")
words("room", "kitchen bedroom bathroom garage office hallway basement garden library attic cellar balcony")
words(
    "device",
    "lights, heating, radio, television, fan, oven, alarm, music, computer, printer, camera, heater, "
    "washing machine, dishwasher, speaker, vacuum cleaner, coffee machine",
    ",",
)
words(
    "adj",
    "old new small large big red blue green yellow black white brown gray dark bright quiet loud heavy light "
    "broken clean dirty empty full narrow wide tall short strange beautiful simple expensive cheap ancient "
    "modern wooden golden silver round square soft hard strong weak young tired happy sad angry brave clever "
    "famous friendly gentle lonely lucky polite proud rich poor silent slow quick sudden sweet bitter tiny huge "
    "wonderful terrible perfect careful curious",
)
words(
    "animal",
    "dog cat horse bird fish rabbit mouse lion tiger bear wolf fox cow sheep pig duck goose chicken monkey "
    "elephant snake frog turtle spider eagle owl deer donkey goat whale",
)
words(
    "person",
    "teacher doctor farmer soldier driver singer writer painter lawyer nurse student child boy girl woman "
    "man neighbor friend brother sister mother father uncle aunt cousin captain king queen judge baker "
    "waiter engineer scientist pilot sailor dancer artist actor tailor butcher president minister guest "
    "stranger prisoner hunter",
)
words(
    "place",
    "river forest bridge station market garden school church castle tower harbor beach lake mountain road "
    "street village hospital museum theater restaurant hotel airport field island cave park square corner "
    "fountain gate wall shop bakery library factory prison palace temple tunnel",
)
words(
    "object",
    "book table chair window door letter key box bottle glass cup plate knife spoon lamp mirror picture "
    "clock watch phone bag coat hat shoe ring coin ticket map pencil paper basket blanket bell candle "
    "umbrella hammer ladder rope guitar piano violin newspaper bicycle wallet suitcase pillow carpet",
)
words(
    "food",
    "bread butter cheese milk eggs apples oranges bananas potatoes tomatoes onions carrots rice soup salad "
    "chicken fish beef pasta pizza coffee tea sugar salt pepper honey chocolate cake cookies juice water "
    "beans corn lemons grapes strawberries mushrooms",
)
words("meal", "breakfast lunch dinner supper")
words(
    "trans",
    "found lost bought sold opened closed carried moved painted cleaned broke fixed dropped hid watched "
    "touched washed covered burned threw kept borrowed forgot remembered described noticed admired",
)
words(
    "intrans",
    "slept waited laughed cried danced walked ran jumped rested worked sang played stood sat disappeared "
    "arrived stopped fell smiled shouted whispered listened appeared",
)
words(
    "prep",
    "near, behind, beside, under, above, inside, outside, in front of, across from, next to, close to, "
    "far from, between the trees and, around",
    ",",
)
words(
    "doc",
    "report budget contract schedule plan proposal agenda summary document presentation design project "
    "invoice strategy analysis survey review draft memo spreadsheet",
)
words(
    "docadj",
    "annual final monthly weekly quarterly updated revised original latest detailed official technical "
    "public private internal",
)
words(
    "team",
    "sales marketing finance legal support research design engineering security training planning product " "quality",
)
words(
    "mverb",
    "review approve discuss finish update change prepare send publish check sign cancel share improve "
    "explain correct deliver test print translate copy print",
)
words(
    "mpast",
    "reviewed approved discussed finished updated changed prepared sent published checked signed canceled "
    "shared improved explained corrected delivered tested printed",
)
words(
    "topic",
    "growth, costs, customers, sales, deadlines, quality, safety, prices, results, problems, options, risks, "
    "goals, training, the new office, the website, the network, the database, the software, energy, water, "
    "education, health, traffic, history, science, art, music, politics, sports, culture, language",
    ",",
)
words("vehicle", "train bus plane ship car truck taxi boat tram ferry bicycle motorcycle")
words(
    "adverb",
    "slowly quickly quietly carefully suddenly happily sadly easily finally often always never usually "
    "really almost certainly probably together again clearly gently",
)
words(
    "todo",
    "buy some milk, call my mother, pay the bills, water the plants, feed the cat, walk the dog, book a table, "
    "clean the house, wash the car, write an email, take my medicine, close the windows, lock the door, "
    "check the mail, order more paper, charge the phone, bake a cake, visit the dentist, return the books, "
    "pick up the children, renew my passport, cut the grass, fix the roof, answer the letter, save the file, "
    "back up the data, change the password, meet the manager, read the contract, print the tickets",
    ",",
)
words("opinion", "think believe know hope guess suppose remember understand")
words("subject", "metal stone paper glass wood gold iron silver cotton leather plastic steel copper sand")
words("body", "head hand arm leg foot back shoulder knee finger eye ear nose mouth neck heart")
words("color", "red blue green yellow black white brown gray pink purple orange")
words("field", "physics chemistry biology history mathematics geography music art medicine law economics philosophy")
words(
    "machine",
    "engine motor pump valve switch battery cable sensor signal screen keyboard server monitor antenna "
    "robot rocket satellite telescope microscope",
)
words(
    "mstate",
    "running broken ready empty full offline online busy damaged blocked open closed safe locked stable "
    "overheating missing working",
)
words(
    "abstract",
    "time money freedom love peace truth luck hope fear courage patience wisdom silence trouble power "
    "knowledge beauty danger trust success failure experience",
)
words("unit_time", "seconds minutes hours days weeks months years")
words("distance", "miles kilometers meters feet inches")
words("weight", "pounds kilos grams tons")
words("sport", "football tennis chess hockey golf baseball cards basketball")
words("sizew", "small medium large")
words("small", "two three four five six seven eight nine ten eleven twelve")
words("digit", "zero one two three four five six seven eight nine")
words("ordw", "first second third fourth fifth sixth seventh last next")
words("greet", "Hello, Good morning, Good evening, Good afternoon, Welcome, Thank you", ",")
words(
    "reason",
    "because it was raining, because the road was closed, because nobody answered, because of the storm, "
    "because the price was too high, because we were late, because the door was locked, because of the noise, "
    "because he was tired, because she was right, although it was late, before the sun came up, "
    "after the war, while everyone was asleep, until the end, when the phone rang, as soon as possible, "
    "if you have time, without any help, with great care, for the first time, at the same time",
    ",",
)
words("clock", "one two three four five six seven eight nine ten eleven twelve")
words("clockpart", "half past, quarter past, quarter to, ten past, five to, twenty past", ",")
LEXICON.update(
    {
        "box_t": ["box", "table", "suitcase", "basket", "piano", "ladder", "carpet", "bell"],
        "leave": ["leave", "visit", "reach", "find", "enter", "describe"],
    }
)

TEMPLATES = """
The weather in {city} will be {wadj} {when}.
The weather in {city} was {wadj} and {wadj} {past_when}.
Expect {precip} in the {region} on {day} {daypart}.
Expect {precip} and {precip} in {city} {when}.
It will be {temp} degrees in {city} on {day}.
The temperature will fall to {temp} degrees {when}.
The temperature in {country} reached {temp} degrees {past_when}.
There is a {tensnum} percent chance of {precip} {when}.
There will be heavy {precip} in the {region} and light {precip} in the {region}.
{season} in {country} is usually {wadj} and {wadj}.
Will it be {wadj} in {city} {when}?
How much {precip} will we have in {month}?
Please turn on the {device} in the {room}.
Please turn off the {device} in the {room} at {time}.
Turn the {device} on {when}.
Turn down the {device} in the {room}, please.
Set the {device} to {num} percent.
Set a timer for {num} {unit_time}.
Set an alarm for {time} on {day} {daypart}.
Remind me to {todo} {when}.
Remind me to {todo} on {day} at {time}.
Remind {name} to {todo} and {todo}.
Don't forget to {todo} before {day}.
Call {name} {surname} at {time}.
Send a message to {name} about {topic}.
Add {food} and {food} to the shopping list.
Add {num} {food} and some {food} to my order.
Play some music in the {room}.
Open the {object} and close the {object}.
Open the {room} window.
Where did you put the {adj} {object}?
Show me the way to the {place}.
How do I get to the {place} from the {place}?
What time is it in {city}?
How far is it from {city} to {city}?
How old is the {adj} {place} in {city}?
What is the color of the {object}?
The {object} is {color} and the {object} is {color}.
Start the {machine} and stop the {machine}.
The {machine} in the {room} is {mstate}.
The {machine} is {mstate}, but the {machine} is {mstate}.
Warning, the {adj} {machine} is {mstate}.
Please check the {machine} every {small} {unit_time}.
Is the {machine} {mstate} again?
{name} will present the {docadj} {doc} {when}.
{name} {mpast} the {docadj} {doc} {past_when}.
We need to {mverb} the {doc} before {day}.
We have to {mverb} and {mverb} the {docadj} {doc} by {date}.
The {team} team {mpast} the {doc} on {day}.
The {team} team will {mverb} the {docadj} {doc} in {month}.
Can you {mverb} the {docadj} {doc} by {day}?
Can you send me the {doc} and the {doc}?
Could you please {mverb} the {doc} {when}?
Let's talk about {topic} and {topic} {when}.
Let us {mverb} the {ordw} part of the {doc}.
The next meeting is on {date} at {time}.
The meeting with {name} starts at {time}.
Our meeting about {topic} was canceled {past_when}.
{name} and {name} will join the meeting at {time}.
The {ordw} question is about {topic}.
I have a question about the {docadj} {doc}.
Does anyone have questions about {topic}?
We spent {hund} dollars on {topic} {past_when}.
The price of {food} went up by {tensnum} percent in {year}.
Sales in {country} fell by {num} percent {past_when}.
The company opened {small} offices in {country} in {year}.
{title} {surname} studied {field} in {city} in {year}.
{title} {surname} teaches {field} and {field} in {city}.
{title} {surname} will see you at {time}.
{name} {surname} was born in {city} in {year}.
{name} {surname} was born on {date}.
{name} lived in {country} for {small} years.
{name} moved from {city} to {city} in {year}.
The {vehicle} to {city} leaves at {time}.
The {vehicle} from {city} will arrive at {time} on {day}.
The {vehicle} was {num} minutes late {past_when}.
My {vehicle} to {country} was canceled {reason}.
The {vehicle} from {city} to {city} takes {small} hours.
We took the {vehicle} to the {place} {past_when}.
I would like to book a ticket to {city} for {date}.
I would like a {sizew} {food} with {food}, please.
Would you like {food} or {food} for {meal}?
{name} cooked {food} with {food} for {meal}.
We had {food}, {food} and {food} for {meal}.
The {food} and the {food} are on the table.
I never eat {food} in the {daypart}.
The recipe needs {hund} grams of {food} and {small} spoons of {food}.
The {adj} {animal} {intrans} {prep} the {place}.
The {adj} {person} {intrans} {adverb} {prep} the {place}.
The {adj} {person} {trans} the {adj} {object}.
The {person} {trans} the {object} {prep} the {place}.
The {person} and the {person} {intrans} {prep} the {adj} {place}.
{a_adj} {person} {trans} {a_object} {past_when}.
{a_adj} {animal} {intrans} in the {adj} {place}.
{name} {trans} the {adj} {object} {past_when}.
{name} {trans} {a_object} and {a_object} in the {place}.
{name} {intrans} {adverb} {reason}.
{name} and {name} {intrans} {prep} the {place} {reason}.
The {person} from {city} {trans} {a_adj} {object}.
The {animal} {trans} the {animal} {reason}.
My {person} has {a_adj} {animal} and {small} {adj} birds.
I saw {a_adj} {animal} {prep} the {place} {past_when}.
I {opinion} the {person} {trans} the {object}.
I {opinion} that {name} is {adj}.
We {opinion} that {abstract} is more important than {abstract}.
They {opinion} the {place} will be closed {when}.
{abstract} and {abstract} are {adverb} hard to find.
There is no {abstract} without {abstract}.
She wanted {abstract}, but he only wanted {abstract}.
The story of the {person} is about {abstract} and {abstract}.
The {object} was made of {subject} and {subject}.
The {adj} {place} was built in {year}.
The {place} is {num} {distance} from the {place}.
The {adj} {box_t} weighs {hund} {weight}.
The {place} was closed {reason}.
There are {hund} people in the {place}.
There are {small} {adj} chairs in the {room}.
Her {body} hurts, so she called the doctor.
My {body} and my {body} still hurt a little.
He put his {body} on the {object}.
{name} plays {sport} {prep} the {place} every {day}.
Do you want to play {sport} {when}?
The code is {digits}.
The number of the room is {digits}.
Please write down this number, {digits}.
{greet}, my name is {name} {surname}.
{greet}, this is {name} from {city}.
{greet}, {title} {surname}.
{greet}, everyone, we will begin with {topic}.
Yes, I {opinion} so.
No, the {object} is not in the {room}.
Who {trans} my {adj} {object}?
Why is the {place} so {adj} {when}?
When did the {person} {leave} the {place}?
Which {vehicle} goes to the {place}?
What do you know about {topic}?
Nobody {trans} the {object} {reason}.
Everybody {intrans} {adverb}.
He {trans} the {object} and {intrans} {adverb}.
She {trans} the {color} {object} {reason}.
They {intrans} {prep} the {place} for {num} minutes.
We were {adj} and {adj} {past_when}.
It was {a_adj} and {adj} {daypart}.
On {date} the {person} {trans} the {object}.
In {year} the {person} {trans} the {adj} {place}.
At {time} the {animal} {intrans} again.
In the {daypart} the {adj} {person} {intrans} {prep} the {place}.
Every {daypart} the {person} walked to the {place}.
If it is {wadj}, we will stay in the {room}.
If {name} is late, we will start without {name}.
After {meal} we walked {prep} the {place}.
Before {meal} I have to {todo}.
The {ordw} {person} was {adj}, the {ordw} was {adj}.
The {vehicle} stopped {adverb} {prep} the {adj} {place}.
The {team} team is working on {topic}.
This {object} costs {num} dollars and this {object} costs {hund}.
""".strip().splitlines()


def pairs(text):
    """ "a=b;c=d" -> [(a, b), (c, d)]."""
    return [tuple(item.split("=")) for item in text.split(";")]


# slot -> [(German, English)]
GERMAN_WORDS = {
    "tag": pairs(
        "Montag=Monday;Dienstag=Tuesday;Mittwoch=Wednesday;Donnerstag=Thursday;Freitag=Friday;Samstag=Saturday;"
        "Sonntag=Sunday"
    ),
    "stadt": pairs(
        "Berlin=Berlin;Hamburg=Hamburg;Wien=Vienna;Paris=Paris;London=London;Rom=Rome;Madrid=Madrid;Genf=Geneva"
    ),
    "wetter": pairs("kalt=cold;warm=warm;sonnig=sunny;windig=windy;trocken=dry;nass=wet;mild=mild;heiß=hot"),
    "zeit": pairs(
        "heute=today;morgen=tomorrow;heute Abend=this evening;nächste Woche=next week;jetzt=right now;"
        "nächstes Jahr=next year"
    ),
    "gestern": pairs("gestern=yesterday;letzte Woche=last week;letztes Jahr=last year;heute Morgen=this morning"),
    "n": pairs("Buch=book;Fenster=window;Bild=picture;Glas=glass;Messer=knife"),
    "obj": pairs(
        "den Tisch=the table;das Buch=the book;die Lampe=the lamp;den Brief=the letter;das Fenster=the window;"
        "die Tür=the door;den Schlüssel=the key;die Uhr=the clock;das Glas=the glass;die Tasche=the bag"
    ),
    "person": pairs(
        "Der Lehrer=The teacher;Die Frau=The woman;Der Mann=The man;Das Kind=The child;Der Arzt=The doctor;"
        "Meine Schwester=My sister;Mein Bruder=My brother;Der Nachbar=The neighbor;Die Königin=The queen;"
        "Der Fahrer=The driver"
    ),
    "ort": pairs(
        "in der Schule=in the school;im Garten=in the garden;in der Küche=in the kitchen;am See=near the lake;"
        "im Museum=in the museum;im Hotel=in the hotel;auf dem Markt=in the market;im Wald=in the forest;"
        "am Bahnhof=near the station"
    ),
    "hat": pairs(
        "gefunden=found;verloren=lost;gekauft=bought;verkauft=sold;repariert=fixed;vergessen=forgot;gemalt=painted"
    ),
    "adj": pairs(
        "alt=old;neu=new;klein=small;groß=big;schön=beautiful;teuer=expensive;leer=empty;sauber=clean;müde=tired;"
        "glücklich=happy"
    ),
    "essen": pairs(
        "Brot=bread;Käse=cheese;Milch=milk;Reis=rice;Suppe=soup;Salat=salad;Fisch=fish;Kuchen=cake;Kaffee=coffee;"
        "Tee=tea;Wasser=water"
    ),
    "name": [(n, n) for n in "Anna Peter Maria David Laura Thomas Julia Martin Clara Oscar".split()],
    "zahl": pairs("zwei=two;drei=three;vier=four;fünf=five;sechs=six;sieben=seven;acht=eight;neun=nine;zehn=ten"),
    "uhr": pairs(
        "eins=one;zwei=two;drei=three;vier=four;fünf=five;sechs=six;sieben=seven;acht=eight;neun=nine;zehn=ten"
    ),
}
# (German, English translation)
GERMAN_TEMPLATES = [
    ("Das Wetter in {stadt} ist {zeit} {wetter}.", "The weather in {stadt} is {wetter} {zeit}."),
    ("Am {tag} ist es in {stadt} {wetter} und {wetter2}.", "On {tag} it is {wetter} and {wetter2} in {stadt}."),
    ("{person} hat {obj} {hat}.", "{person} {hat} {obj}."),
    ("{person} hat {gestern} {obj} {ort} {hat}.", "{person} {hat} {obj} {ort} {gestern}."),
    ("{person} ist {adj} und {adj2}.", "{person} is {adj} and {adj2}."),
    ("{name} wartet {ort}.", "{name} is waiting {ort}."),
    ("{name} und {name2} arbeiten {zeit} {ort}.", "{name} and {name2} are working {ort} {zeit}."),
    ("Wir treffen uns am {tag} um {uhr} Uhr {ort}.", "We meet on {tag} at {uhr} o'clock {ort}."),
    ("Der Zug nach {stadt} fährt um {uhr} Uhr.", "The train to {stadt} leaves at {uhr} o'clock."),
    ("Ich möchte {essen} und {essen2}, bitte.", "I would like {essen} and {essen2}, please."),
    ("Wir haben {zahl} Stunden {ort} gewartet.", "We waited {zahl} hours {ort}."),
    ("Bitte öffnen Sie {obj} {zeit}.", "Please open {obj} {zeit}."),
    ("Wo ist {name}?", "Where is {name}?"),
    ("Ich habe {essen} und {essen2} für {name} gekauft.", "I bought {essen} and {essen2} for {name}."),
    ("Guten Morgen, mein Name ist {name}.", "Good morning, my name is {name}."),
    ("{name} kommt {zeit} aus {stadt}.", "{name} is coming from {stadt} {zeit}."),
    ("Kannst du {zeit} {obj} bringen?", "Can you bring {obj} {zeit}?"),
]
