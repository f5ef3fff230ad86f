"""An operator's own books: from a file to chapters that a course can cite.

A file is read in a process of its own with limits (``isolation``, ``child``): what is in it is nobody's we
trust. There a parser by kind (``epub``, ``pdf``, ``markdown``, ``book_json``) makes headings with text out of
it, ``structure`` makes chapters and sections of these, ``concepts`` and ``summaries`` say what they are
about. ``adding`` stores what came out: read, embedded, published, each step once however often it is cut
short.
"""
