"""The boxes of the search diagram, one a file, in the order that a query meets them."""
