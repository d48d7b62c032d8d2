"""The words that the overviews of the simulated films are made of.

Each genre has nouns of its own and each pole of a hidden dimension has adjectives of its own, so a
reader of the text learns what the genres say already and also what no other column says.
"""

from __future__ import annotations

GENRE_NOUNS: dict[str, tuple[str, ...]] = {
    genre: tuple(nouns.split())
    for genre, nouns in {
        "Action": "chases explosions rooftops fists convoys stunts hostages motorcycles",
        "Adventure": "expeditions jungles maps temples caravans summits lagoons ruins",
        "Animation": "puppets toys squirrels crayons robots meadows balloons lanterns",
        "Comedy": "pranks weddings neighbours mishaps cousins landlords parrots blunders",
        "Crime": "heists detectives ledgers smugglers alibis vaults informers forgeries",
        "Documentary": "archives glaciers interviews factories elections beekeepers reefs voters",
        "Drama": "inheritances quarrels letters farewells debts confessions reunions silences",
        "Fantasy": "dragons spells kingdoms prophecies witches swords griffins amulets",
        "Horror": "apparitions cellars curses graves seances teeth cults asylums",
        "Musical": "choruses pianos ballads rehearsals encores trumpets duets auditions",
        "Mystery": "clues disappearances diaries ciphers footprints attics keys strangers",
        "Romance": "kisses sweethearts promises dances engagements bouquets rivals serenades",
        "Sci-Fi": "starships androids colonies wormholes clones satellites reactors portals",
        "Thriller": "ransoms conspiracies stalkers wiretaps deadlines impostors traps betrayals",
        "War": "trenches regiments bunkers snipers armistices barracks sieges deserters",
        "Western": "saloons sheriffs ranches outlaws rustlers canyons duels stagecoaches",
    }.items()
}
GENRES = tuple(GENRE_NOUNS)

HIDDEN_ADJECTIVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    dimension: (tuple(below.split()), tuple(above.split()))
    for dimension, (below, above) in {
        "mood": (
            "bleak grim sorrowful bitter haunted merciless ashen wounded",
            "sunny cheerful playful warm giddy generous breezy tender",
        ),
        "pace": (
            "patient unhurried meditative languid hushed lingering drowsy still",
            "frantic breathless restless headlong feverish rapid nervous relentless",
        ),
        "scope": (
            "intimate domestic modest private solitary spare quiet homely",
            "sweeping monumental vast lavish thunderous towering boundless grand",
        ),
        "realism": (
            "gritty plain factual candid weathered ordinary unvarnished earthy",
            "dreamlike surreal enchanted uncanny baroque hypnotic otherworldly fabled",
        ),
    }.items()
}
HIDDEN = tuple(HIDDEN_ADJECTIVES)
"""Taste that no column but the text tells of; below zero the first words, above the second."""

HEROES = (
    "a lighthouse keeper",
    "a night nurse",
    "a retired pilot",
    "a young clerk",
    "a travelling cook",
    "a stubborn widow",
    "a train driver",
    "a map maker",
    "a piano tuner",
    "a lost twin",
    "a ferry captain",
    "a schoolteacher",
)
VERBS = ("faces", "outruns", "inherits", "uncovers", "bargains with", "remembers", "escapes")
TEMPLATES = (
    "{Mood0}, {mood1} and {mood2}: {hero} {verb} {noun0}, {noun1} and {noun2}.",
    "A story of {noun0} and {noun1} in which {hero} {verb} {noun2}, {mood0}, {mood1} and {mood2}.",
    "{Hero} {verb} {noun0} and {noun1}; {mood0} and {mood1}, with {noun2} and a {mood2} ending.",
)
TITLE_ADJECTIVES = (
    "Quiet Golden Last Broken Hidden Electric Silver Lonely Burning Paper Winter Crimson".split()
)
TITLE_NOUNS = (
    "River Empire Garden Station Letter Planet Detective Carnival Harbor Mirror Orchard Signal"
).split()
