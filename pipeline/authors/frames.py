"""The sentences that objectives are made of: by depth, and by what is studied.

Every sentence begins with a verb whose doing can be seen and has one place, ``{0}``, for the heading as a
noun phrase. They promise what any treatment of the topic allows, nothing that the cited text would have to
contain.
:class:`Frames` hands out the one that a course has used least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from pipeline.authors.words import vocabulary
from pipeline.outline import Depth


class Kind(StrEnum):
    """What a noun phrase names, or the kind of subject it belongs to."""

    QUANTITY = "quantity"
    METHOD = "method"
    CODE = "code"
    TOOL = "tool"
    CONTRAST = "contrast"
    PROBLEMS = "problems"
    HISTORY = "history"
    CRAFT = "craft"
    THOUGHT = "thought"
    SOCIETY = "society"
    MONEY = "money"
    BUSINESS = "business"
    MATTER = "matter"


MEASURABLE = vocabulary(
    """
    analyze answer apply argue arrange assess build calculate check choose cite classify compare compute
    construct contrast convert correct create critique debug decide defend define demonstrate derive
    describe design determine diagnose differentiate discuss dispute distinguish draft draw estimate
    evaluate explain express find forecast formulate give graph identify illustrate implement interpret
    judge justify list locate measure model name organize outline perform plan plot predict prepare
    prove quantify quote recall recite recognize reconstruct record restate retell revise rewrite show
    sketch solve sort state summarize tell test trace translate use verify weigh work write
    """
)
"""Verbs whose doing can be seen (after Bloom's taxonomy, Anderson and Krathwohl 2001); *understand*, *know*
and *learn* are not among them.
"""

CODE_SUBJECTS = frozenset(["programming", "python", "rust", "javascript", "r"])
COUNTED_SUBJECTS = vocabulary(
    """
    finance accounting statistics mathematics algebra calculus arithmetic physics chemistry
    economics mechanics quantitative reasoning analysis
    """
)
SUBJECT_KINDS: tuple[tuple[frozenset[str], Kind], ...] = (
    (frozenset(["git", "software"]), Kind.TOOL),
    (vocabulary("mathematics algebra calculus arithmetic statistics logic"), Kind.PROBLEMS),
    (frozenset(["history"]), Kind.HISTORY),
    (frozenset(["writing", "composition"]), Kind.CRAFT),
    (frozenset(["philosophy", "ethics"]), Kind.THOUGHT),
    (vocabulary("sociology psychology anthropology government political"), Kind.SOCIETY),
    (vocabulary("finance accounting economics"), Kind.MONEY),
    (vocabulary("business management marketing entrepreneurship law"), Kind.BUSINESS),
)
"""The first of these that a book's subjects have a word of says how its topics are worked with."""

HEADING: dict[Depth, dict[Kind, tuple[str, ...]]] = {
    Depth.OVERVIEW: {
        Kind.QUANTITY: ("Describe {0} and what {it_tells}", "State in a sentence what {0} {is} for"),
        Kind.METHOD: ("Describe {0} in plain words", "State when {0} {is} called for", "Summarize {0}"),
        Kind.CODE: ("Describe {0} with a short example", "Identify {0} in a program"),
        Kind.MATTER: (
            "Describe {0} in plain words",
            "Summarize {0} in three sentences",
            "Identify the main points about {0}",
            "Outline {0} on half a page",
        ),
    },
    Depth.BALANCED: {
        Kind.QUANTITY: (
            "Calculate {0} in a simple example and say what the result means",
            "Explain {0} and calculate a simple example",
            "Estimate {0} for figures of your own, then calculate and compare",
        ),
        Kind.METHOD: (
            "Apply {0} to a simple case",
            "Explain {0} and say when to use {it}",
            "Demonstrate {0} on one example, step by step",
            "Judge when {0} {is} the right choice and when not",
        ),
        Kind.CODE: (
            "Use {0} in a short program",
            "Predict what a few lines with {0} do, then run them",
            "Explain {0} with code of your own",
            "Show {0} in a few lines of code",
        ),
        Kind.TOOL: (
            "Demonstrate {0} on files of your own",
            "Explain {0} and say when to use {it}",
            "Describe how {0} {changes} what you see, before and after",
            "Perform {0} once without the text and note each step",
        ),
        Kind.PROBLEMS: (
            "Solve two problems on {0} without the text",
            "Explain {0} with a worked example",
            "Work out one example of {0}, with a reason for each step",
            "Answer three questions of your own about {0}",
        ),
        Kind.HISTORY: (
            "Explain what changed with {0}, and for whom",
            "Describe {0} by the people, places and ideas that stand out",
            "Outline {0} in five entries: when, where and who",
            "Argue in a paragraph which development in {0} mattered most",
        ),
        Kind.CRAFT: (
            "Revise a text of your own with an eye to {0}",
            "Identify {0} in a text by somebody else",
            "Draft a paragraph that puts {0} to use",
            "Explain {0} with a good and a bad example",
        ),
        Kind.THOUGHT: (
            "Explain {0} with an example from everyday talk",
            "Restate what is claimed about {0}, and on what grounds",
            "Dispute or defend one claim about {0} in a paragraph",
        ),
        Kind.SOCIETY: (
            "Explain {0} with an example from your own surroundings",
            "Describe {0} and how one could observe {it}",
            "Give two examples of {0}, seen or read about",
            "Compare {0} with what you expected before reading",
        ),
        Kind.MONEY: (
            "Explain {0} with figures of your own",
            "Describe {0} by the example of one firm or household",
            "Explain {0} to somebody who has to decide about money",
            "Identify {0} in a case from the news",
        ),
        Kind.BUSINESS: (
            "Explain {0} with an organization that you know",
            "Describe {0} and what follows for a decision at work",
            "Identify {0} in a firm from the news",
            "Outline how you would deal with {0} in a firm of your own",
        ),
        Kind.MATTER: (
            "Explain {0} in your own words",
            "Describe {0} with an example",
            "Summarize {0} in a labelled sketch or table",
            "Explain {0} to somebody new to it in five sentences",
            "Answer three questions of your own about {0}",
        ),
    },
    Depth.TECHNICAL: {
        Kind.QUANTITY: (
            "Calculate {0} from given figures",
            "Calculate {0} for a realistic case and check the result another way",
            "Show how {0} {changes} when one input changes",
        ),
        Kind.METHOD: (
            "Apply {0} to a realistic case",
            "Apply {0} and interpret the result",
            "Test what {0} {gives} where the conditions are not met",
        ),
        Kind.CODE: (
            "Implement a small program that uses {0}",
            "Write and test code that uses {0}",
            "Debug a program that uses {0} wrongly",
        ),
        Kind.MATTER: (
            "Analyze {0} into its elements",
            "Analyze a case of {0}",
            "Explain {0} in detail, with a worked case",
            "Compare two instances of {0}",
        ),
    },
    Depth.EXPERT: {
        Kind.QUANTITY: (
            "Derive {0} and state the assumptions behind it",
            "Evaluate how far {0} can be relied on",
        ),
        Kind.METHOD: (
            "Evaluate the strengths and limits of {0}",
            "Critique {0} as the chapter presents {it}",
            "Compare {0} with an alternative on one case",
        ),
        Kind.CODE: ("Design a program around {0}", "Evaluate when {0} {is} the right choice in code"),
        Kind.MATTER: (
            "Evaluate the account given of {0}",
            "Critique the chapter's treatment of {0}",
            "Assess what is still open about {0}",
        ),
    },
}
"""A kind that a depth does not have uses its ``MATTER``."""

TERMS: dict[Depth, tuple[str, ...]] = {
    Depth.OVERVIEW: ("Define {0}", "State in a sentence each what {0} mean{s}"),
    Depth.BALANCED: (
        "Define {0} and give an example of each",
        "Use {0} correctly in an explanation of {1}",
        "Recall what {0} mean{s}, then check it against the text",
    ),
    Depth.TECHNICAL: ("Solve a problem that calls for {0}", "Use {0} precisely in a case of {1}"),
    Depth.EXPERT: ("Design a problem that turns on {0}, and solve it", "Defend your own definition of {0}"),
}
"""With quoted terms for ``{0}`` and the heading they belong to for ``{1}``."""

TASK = {
    Depth.OVERVIEW: ("Describe how to {0}",),
    Depth.BALANCED: ("{0}", "Demonstrate on an example how to {0}"),
    Depth.TECHNICAL: ("{0} in a realistic case",),
    Depth.EXPERT: ("Evaluate different ways to {0}",),
}
TASK_TOLD = {Depth.BALANCED: ("Demonstrate on an example how to {0}", "Explain how to {0}")}
"""For what is done in the heading, but not by who learns it so soon: *develop a strategic plan*."""
TASK_OF_OTHERS = {Depth.BALANCED: ("Explain how to {0}", "Describe how to {0}")}
"""For what societies and states do: *control the bureaucracy*."""
OTHERS_DO = frozenset([Kind.HISTORY, Kind.SOCIETY, Kind.THOUGHT])
CLAUSE = {
    Depth.OVERVIEW: ("Describe {0}", "Summarize {0}"),
    Depth.BALANCED: ("Explain {0}", "Explain to somebody new to it {0}", "Illustrate with an example {0}"),
    Depth.TECHNICAL: ("Analyze {0}", "Explain in detail {0}"),
    Depth.EXPERT: ("Evaluate explanations of {0}",),
}
"""For headings that ask: *how firms raise capital*."""
ANSWER = {
    Depth.OVERVIEW: ("Answer in two sentences: {0}?", "Answer “{0}?” in plain words"),
    Depth.BALANCED: (
        "Answer “{0}?” in your own words",
        "Answer “{0}?” for somebody who asks you",
        "Answer “{0}?” with an example",
    ),
    Depth.TECHNICAL: ("Answer “{0}?” with a worked case", "Answer “{0}?” in detail"),
    Depth.EXPERT: ("Answer “{0}?” and say what the answer rests on",),
}
"""For what people ask: *does supply create its own demand*."""
PAIR = {
    Depth.OVERVIEW: ("Outline how {0} and {1} belong together",),
    Depth.BALANCED: ("Explain how {0} and {1} are connected", "Compare {0} with {1} in a short table"),
    Depth.TECHNICAL: ("Analyze how {0} and {1} work together",),
    Depth.EXPERT: ("Evaluate how {0} bear{s} on {1}",),
}
SPARE = {
    Depth.OVERVIEW: ("Illustrate {0} with an example", "Name three things to remember about {0}"),
    Depth.BALANCED: (
        "Choose what matters most about {0} and give the reason",
        "Test yourself on {0} with two questions of your own",
        "Illustrate {0} with an example that is not in the text",
    ),
    Depth.TECHNICAL: ("Solve a problem of your own that involves {0}",),
    Depth.EXPERT: ("Design an example that puts {0} to the test",),
}
"""What is always left to ask for, so that a short reading has its two objectives as well."""
BEARS = {
    Depth.OVERVIEW: "Describe how",
    Depth.BALANCED: "Explain how",
    Depth.TECHNICAL: "Analyze how",
    Depth.EXPERT: "Evaluate how far",
}
ANSWER_AGAIN = "Answer “{0}?” without the text, then check it"
AGAIN = (
    "Explain {0} from memory, then check it against the text",
    "Name three points that the text makes about {0}, then look",
    "Compare your notes on {0} with the text and correct them",
    "Write three questions about {0} and answer them without the text",
    "Explain {0} aloud in two minutes, without notes",
    "List what was unclear about {0} and clear it up",
    "Draw the main points about {0} as a map, from memory",
)


class Frames:
    """Which sentences a course has used, so that none comes again while another fits."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def pick(self, choices: Sequence[str]) -> str:
        """Return the choice used least so far, the first of these, and count it."""
        chosen = min(choices, key=lambda frame: self._used[frame])
        self._used[chosen] += 1
        return chosen

    def of_heading(self, depth: Depth, kind: Kind) -> str:
        """Return a sentence for a heading of this kind."""
        return self.pick(HEADING[depth].get(kind) or HEADING[depth][Kind.MATTER])
