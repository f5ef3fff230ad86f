"""The author that asks a language model, at any OpenAI-compatible endpoint.

::

    author      OpenAIAuthor: parts, sections, review
    counts      how many parts and sections to ask for
    shelf       what a model may cite, by id
    prompts     what it is told
    wire        what it answers: models, JSON schemas, repairs
    outlining   from ids and weights to sources and minutes
    summarising what a chapter of an added book is about
    asking      validate, ask again
    drafting    what is there while it still writes
    endpoint    one call
    abilities   what the server supports
    gate        how many calls at once, and none after a 429
    turns       many answers at once without holding up the event loop
    connection  the HTTP client under it
    sse         the events of a streamed answer
    reply       an answer as it arrives
    failures    the openai library's errors in our words
"""

from pipeline.authors.openai.author import OpenAIAuthor
from pipeline.authors.openai.endpoint import Timeouts

__all__ = ["OpenAIAuthor", "Timeouts"]
