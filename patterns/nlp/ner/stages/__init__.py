"""One file per box: words, shapes, the taggers, the windows of a long text, decoding, the export."""
