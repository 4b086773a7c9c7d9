"""What the written captions are about: word lists, and the examples that show a language model how a caption looks.

Every list is our own. A topic is a few words that a caption has to use; examples are pairs of such words and a caption.
"""

from __future__ import annotations

from random import Random

KINDS = """photo, close-up, portrait, black and white photo, aerial view, street photo, macro photo, night photo, snapshot,
oil painting, watercolor, acrylic painting, pencil sketch, ink drawing, charcoal drawing, cartoon, comic, anime, mural,
illustration, digital art, concept art, 3d render, pixel art, vector icon, logo, poster, collage, mosaic, stained glass,
sculpture, statue, embroidery, woodcut, engraving, map, chart, diagram, movie still, fashion photo, product photo,
food photo, wildlife photo, sports photo, wedding photo, family photo, x-ray, screenshot, postcard, album cover, emoji,
graffiti, origami, clay figure, toy, low poly model, silhouette, pastel drawing, storybook illustration, line art"""

SUBJECTS = """man, woman, boy, girl, baby, child, old man, old woman, couple, family, crowd, group of people, friends, bride,
groom, dancer, singer, guitarist, violinist, drummer, farmer, fisherman, chef, waiter, doctor, nurse, soldier, police
officer, firefighter, teacher, student, scientist, astronaut, pilot, sailor, knight, king, queen, princess, wizard, witch,
pirate, ninja, samurai, cowboy, monk, clown, robot, alien, ghost, zombie, skeleton, dragon, unicorn, mermaid, fairy, angel,
monster, vampire, elf, dwarf, superhero, surfer, skier, snowboarder, skateboarder, cyclist, runner, swimmer, golfer,
tennis player, football player, basketball player, baseball player, boxer, gymnast, climber, hiker, dog, puppy, cat, kitten,
horse, pony, cow, calf, sheep, lamb, goat, pig, donkey, rabbit, hamster, mouse, rat, squirrel, hedgehog, fox, wolf, bear,
polar bear, panda, koala, kangaroo, lion, tiger, leopard, cheetah, elephant, giraffe, zebra, rhino, hippo, monkey, gorilla,
deer, moose, camel, llama, bat, bird, sparrow, robin, crow, owl, eagle, hawk, parrot, flamingo, swan, duck, goose, chicken,
rooster, turkey, peacock, penguin, seagull, pigeon, hummingbird, snake, lizard, crocodile, turtle, frog, dinosaur, fish,
goldfish, shark, whale, dolphin, octopus, jellyfish, crab, lobster, seal, starfish, snail, butterfly, bee, ant, spider,
beetle, dragonfly, ladybug, flower, rose, tulip, sunflower, daisy, orchid, lily, cactus, fern, mushroom, tree, oak, pine
tree, palm tree, cherry blossom, leaf, grass, vine, moss, apple, banana, orange, lemon, strawberry, cherry, grapes, pear,
peach, pineapple, watermelon, tomato, potato, carrot, onion, pepper, corn, pumpkin, broccoli, garlic, bread, cake, pie,
cookie, donut, pizza, hamburger, hot dog, sandwich, taco, sushi, noodles, soup, salad, rice, pasta, steak, egg, cheese,
ice cream, chocolate, candy, popcorn, pancake, coffee, tea, wine, beer, milk, juice, cocktail, car, truck, bus, taxi,
van, motorcycle, scooter, bicycle, train, tram, subway, airplane, helicopter, rocket, spaceship, hot air balloon, boat,
ship, sailboat, canoe, kayak, ferry, submarine, tractor, bulldozer, crane, ambulance, fire truck, wagon, sled, house,
cottage, cabin, castle, church, cathedral, temple, mosque, pagoda, palace, tower, lighthouse, windmill, barn, bridge, tunnel,
skyscraper, apartment building, hotel, shop, market, restaurant, cafe, school, library, museum, hospital, factory, farm,
stadium, fountain, gate, fence, wall, door, window, stairs, roof, chimney, tent, igloo, ruins, pyramid, street sign,
traffic light, stop sign, fire hydrant, parking meter, bench, lamp post, clock, watch, phone, computer, laptop, keyboard,
camera, television, radio, microphone, headphones, speaker, lamp, candle, lantern, mirror, picture frame, vase, bowl, plate,
cup, mug, glass, bottle, jar, basket, box, bag, suitcase, backpack, umbrella, hat, cap, helmet, crown, mask, glasses, scarf,
coat, dress, skirt, shirt, jeans, shoes, boots, sneakers, gloves, ring, necklace, earrings, book, newspaper, letter,
envelope, pencil, pen, brush, scissors, hammer, saw, wrench, knife, fork, spoon, pan, kettle, oven, refrigerator, sink,
toilet, bathtub, shower, bed, pillow, blanket, sofa, chair, table, desk, shelf, cabinet, rug, curtain, key, lock, coin, gem,
diamond, sword, shield, bow and arrow, gun, flag, balloon, kite, gift, toy, doll, teddy bear, puzzle, dice, chess board,
cards, ball, football, basketball, baseball bat, tennis racket, skateboard, surfboard, skis, guitar, piano, violin, drum,
trumpet, saxophone, flute, mountain, volcano, hill, valley, canyon, cliff, desert, beach, island, lake, river, waterfall,
ocean, wave, forest, jungle, meadow, field, garden, park, road, path, city, village, harbor, sky, cloud, rainbow, lightning,
storm, sunset, sunrise, moon, stars, galaxy, planet, comet, fire, smoke, snow, snowman, ice, rain, fog, heart, star, skull,
eye, hand, face, smile, feather, shell, bone, rope, chain, wheel, gear, engine, clockwork, telescope, microscope, globe"""

PLACES = """on a beach, in a forest, in the snow, on a mountain, by a lake, by a river, at sea, in the desert, in a field, in a
garden, in a park, on a city street, in a village, at a market, in a kitchen, in a living room, in a bedroom, in a
bathroom, in an office, in a classroom, in a library, in a museum, in a church, in a restaurant, in a cafe, at a bar, on a
stage, at a concert, at a wedding, at a party, at an airport, at a train station, in a parking lot, on a bridge, on a roof,
on a balcony, by a window, at a table, on a bed, on a sofa, on a shelf, on a plate, in a bowl, in a vase, on a wooden
table, against a white wall, on a white background, on a black background, on a red background, on a blue background, on a
green background, on a yellow background, on a pink background, on a striped background, on a gradient background, under
water, in space, in the sky, in the clouds, at night, at sunset, at dawn, in the rain, in fog, in autumn leaves, in spring,
in a swimming pool, in a gym, on a tennis court, on a baseball field, in a stadium, on a race track, at a zoo, on a farm, in
a barn, in a cage, in a cave, in a castle, in ruins, in an abandoned factory, in a futuristic city, in a neon city, in a
swamp, in a jungle, on an island, on a boat, in a car, on a train, in a mirror, in a glass, on a cliff, near a waterfall, in
front of a house, next to a fence, under a tree, behind a wall, on the grass, on the floor, on a chair, between two
buildings, in the shade, in the distance, in a hand, in a box"""

DETAILS = """red, orange, yellow, green, blue, purple, pink, brown, black, white, gray, golden, silver, colorful, bright, dark,
pale, shiny, rusty, wooden, metal, stone, glass, paper, plastic, old, new, young, broken, clean, dirty, wet, dry, frozen,
burning, glowing, sleeping, running, jumping, sitting, standing, lying, flying, swimming, dancing, singing, reading,
eating, drinking, cooking, working, playing, smiling, crying, laughing, looking, holding, wearing, riding, driving, waiting,
walking, climbing, falling, fighting, hugging, kissing, small, large, tiny, giant, tall, short, round, square, fluffy, furry,
striped, spotted, empty, full, crowded, quiet, lonely, happy, sad, angry, scary, cute, funny, beautiful, elegant, ancient,
modern, futuristic, vintage, medieval, tropical, arctic, soft light, warm light, shadow, reflection, blurry, detailed,
minimal, abstract, symmetrical, foggy, sunny, cloudy, stormy, two, three, several, many, a pair of, a row of, a pile of"""

STYLES = """highly detailed, soft light, dramatic lighting, golden hour, studio lighting, bokeh, sharp focus, wide angle, cinematic,
vivid colors, muted colors, pastel colors, black and white, high contrast, minimalist, surreal, fantasy, science fiction,
steampunk, cyberpunk, gothic, baroque, art nouveau, art deco, impressionist, cubist, pop art, retro, vintage, rustic,
oil on canvas, watercolor on paper, ink and wash, digital painting, concept art, 3d render, isometric, low poly, pixel
art, anime style, comic book style, flat design, vector art, line art, trending, matte painting, volumetric light,
symmetrical composition, centered, close up, from above, from below, full body, portrait, landscape, intricate, elegant"""

CAPTIONS = (
    ("dog, beach", "A brown dog runs along the beach with a stick in its mouth."),
    ("kitchen, woman", "A woman in a striped apron cuts vegetables in a small kitchen."),
    ("oil painting, lighthouse", "An oil painting of a lighthouse above a rough green sea."),
    ("bus, street", "A red bus stops on a crowded street next to a bank."),
    ("cat, sofa, gray", "A gray cat sleeps on a leather sofa by the window."),
    ("vector icon, rocket", "A flat icon of a white rocket on a blue circle."),
    ("boy, skateboard", "A boy jumps over three steps on his skateboard."),
    ("pizza, table", "A pizza with olives and basil on a wooden table."),
    ("portrait, old man", "Portrait of an old man with a white beard and a wool hat."),
    ("mountain, lake", "Snowy mountains are reflected in a still lake at sunrise."),
    ("giraffe, tree", "Two giraffes eat leaves from the top of a tall tree."),
    ("robot, forest", "A rusty robot stands alone in a foggy forest."),
    ("pencil sketch, hand", "A pencil sketch of a hand that holds a small bird."),
    ("train, bridge", "An old steam train crosses a stone bridge over a deep valley."),
    ("baseball player", "A baseball player swings his bat while the crowd watches."),
    ("bathroom, white", "A clean white bathroom with a round mirror above the sink."),
    ("astronaut, horse", "An astronaut rides a horse across the moon, digital art."),
    ("flower, vase", "Yellow flowers in a blue glass vase on a window sill."),
    ("bird, branch", "A small bird with an orange chest sits on a frozen branch."),
    ("couple, umbrella", "A couple walks through the rain under one black umbrella."),
    ("market, fruit", "Piles of fruit and vegetables for sale at an outdoor market."),
    ("child, balloon", "A child in a yellow coat holds a red balloon."),
    ("motorcycle", "A black motorcycle is parked in front of a brick wall."),
    ("watercolor, village", "Watercolor of a quiet village by the sea with white houses."),
    ("airplane, sky", "A passenger airplane flies low over the city in a cloudy sky."),
    ("surfer, wave", "A surfer in a wetsuit rides a huge wave."),
    ("cake, candle", "A chocolate cake with strawberries and one burning candle."),
    ("castle, night", "A castle on a hill at night under a full moon."),
    ("elephant, river", "A baby elephant follows its mother across a shallow river."),
    ("laptop, desk", "A laptop, a notebook and a cup of coffee on a desk."),
    ("clock, tower", "A large clock on the side of a tall stone tower."),
    ("black and white photo, musician", "Black and white photo of a musician who plays the trumpet on stage."),
    ("fox, snow", "A red fox looks at the camera in deep snow."),
    ("sign, road", "A stop sign at the side of an empty desert road."),
    ("pixel art, dragon", "Pixel art of a small green dragon that guards a chest of gold."),
    ("people, park", "A group of people sits on the grass in a park and eats lunch."),
    ("boat, harbor", "Several small boats are tied up in a harbor."),
    ("penguin, purple", "A penguin next to a red heart on a purple background."),
    ("teddy bear, bed", "A teddy bear with one eye lies on an unmade bed."),
    ("statue, pigeon", "A pigeon sits on the head of a bronze statue."),
)

TAGS = (
    ("wizard", "portrait of a wizard with a glowing staff, fantasy, highly detailed, dramatic lighting"),
    ("city", "futuristic city at night, neon lights, rain, cyberpunk, wide angle"),
    ("cat", "cute cat in a teacup, watercolor, pastel colors, soft light"),
    ("forest", "misty forest at dawn, god rays, matte painting, muted colors"),
    ("sports car", "red sports car on a mountain road, golden hour, sharp focus, cinematic"),
    ("house", "isometric render of a tiny house with a garden, low poly, soft shadows"),
    ("woman", "young woman with red hair and freckles, close up, natural light, film grain"),
    ("dragon", "ancient dragon sleeping on gold, oil painting, intricate, warm colors"),
    ("burger", "juicy burger with fries, product photo, studio lighting, black background"),
    ("owl", "minimalist logo of an owl, vector art, flat design, two colors"),
)


def split(words: str) -> list[str]:
    """The entries of a list above."""
    return [" ".join(each.split()) for each in words.split(",")]


_KINDS, _SUBJECTS, _PLACES, _DETAILS, _STYLES = map(split, (KINDS, SUBJECTS, PLACES, DETAILS, STYLES))


def requests(rng: Random, words: list[str], count: int) -> tuple[str, list[str]]:
    """A beginning, and `count` ends for it; a language model continues each with one caption and a line end.

    `words`: many English words, from which rare topics are drawn.
    """
    way = rng.random()
    if way < 0.12:
        shown = "".join(f"Words: {words}\nPrompt: {prompt}\n\n" for words, prompt in rng.sample(TAGS, 6))
        topics = [[rng.choice(_SUBJECTS), rng.choice(words if rng.random() < 0.3 else _STYLES)] for _ in range(count)]
        return f"Prompts for pictures\n\n{shown}Words:", [f" {', '.join(topic)}\nPrompt:" for topic in topics]
    shown = rng.sample(CAPTIONS, 8)
    if way < 0.24:
        said = "".join(f"Image caption: {caption}\n" for _, caption in shown)
        firsts = [f" {rng.choice(_SUBJECTS)}" if rng.random() < 0.3 else "" for _ in range(count)]
        return f"Captions of pictures\n\n{said}Image caption", [f"{first}:" for first in firsts]
    said = "".join(f"Words: {words}\nCaption: {caption}\n\n" for words, caption in shown)
    topics = [_topic(rng, words) for _ in range(count)]
    return f"Captions of pictures\n\n{said}Words:", [f" {', '.join(topic)}\nCaption:" for topic in topics]


def _topic(rng: Random, words: list[str]) -> list[str]:
    if rng.random() < 0.55:
        topic = [rng.choice(_SUBJECTS)]
        others = ((_KINDS, 0.35), (_PLACES, 0.45), (_DETAILS, 0.35), (_SUBJECTS, 0.2))
    else:
        topic = [rng.choice(words)]
        others = ((words, 0.3), (_SUBJECTS, 0.4), (_KINDS, 0.25), (_PLACES, 0.2))
    topic += [rng.choice(other) for other, chance in others if rng.random() < chance]
    rng.shuffle(topic)
    return topic
