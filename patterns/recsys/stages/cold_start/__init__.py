"""What to do without events: `survey` asks new users, `new_items` finds new items by content.

`placement` is how: a place among the vectors of known items. A new user whose age or gender is
known is served by `candidates/segment_popularity`; a new item gets its first events from
`reranking/exploration`.
"""
