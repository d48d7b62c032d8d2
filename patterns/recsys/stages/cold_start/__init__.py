"""What to do without events: `survey` asks new users, `placement` places new items by content.

A new user whose age or gender is known is served by `candidates/segment_popularity`; a new item
gets its first events from `reranking/exploration`.
"""
