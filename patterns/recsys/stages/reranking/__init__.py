"""From the ranker's order to the page.

`reranker` trades relevance against similarity and miscalibration, `rules` holds what the business
asks of a page, `exploration` gives its last slots to items that little is known of.
"""
