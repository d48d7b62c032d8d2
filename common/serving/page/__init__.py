"""The page at /: a form made from the request's schema, the answer to it, and the model card.

    render.py     puts the parts below into one HTML text, with the headers that go with it
    page.html     the skeleton
    style.css     light and dark, from a phone to a wide screen
    dom.js        nodes made of text, numbers for people, parts of schemas
    form.js       a field for each property of the request, and what was refused beside it
    picture.js    the image sent, with boxes and masks over it
    text.js       the text sent, with labelled parts, quotes or a translation of it
    answer.js     how each format of an answer is shown
    card.js       the model card: three figures that unfold
    stream.js     an answer that grows while it is made
    main.js       asks /predict, on opening with the example

No build step, no package, no network: scripts and style are put in as they stand. The page knows no
pattern; what it shows follows from the JSON schemas and the formats in them (`formats.py` beside
this folder). All text enters as text, never as markup.
"""
