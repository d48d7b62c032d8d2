"""One file per box: words, shapes, the taggers, windows of a long text, decoding, the export."""
