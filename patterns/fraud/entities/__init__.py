"""What fraud detection speaks of: nouns without an algorithm that several files share."""
