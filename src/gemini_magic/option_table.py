"""The one table of a cell's options: the parser, ``--help``, completion and emitters read it."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

#: ``value`` is a path, an address or a Python expression; ``json`` is JSON or an expression;
#: ``names`` are words with commas between them.
OptionType: TypeAlias = Literal[
    "flag", "text", "int", "float", "choice", "name", "names", "thinking", "json", "value"
]

ALL_KINDS = ("google", "openai", "local")


class Option(NamedTuple):
    """One option: how it is written, what it takes, and which kinds of backend can do it.

    ``setting`` marks the options that are fields of ``types.Settings``. ``minimum`` and
    ``maximum`` bound numbers, inclusive. ``choices`` are the words that ``names`` may hold, too.
    """

    name: str
    type: OptionType
    help: str
    short: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    repeat: bool = False
    setting: bool = False
    minimum: float | None = None
    maximum: float | None = None
    kinds: tuple[str, ...] = ALL_KINDS
    group: str = "The cell"

    @property
    def key(self) -> str:
        """The name as Python and TOML write it."""
        return self.name.replace("-", "_")

    @property
    def flag(self) -> bool:
        return self.type == "flag"

    @property
    def value_hint(self) -> str:
        """What stands for the value in help: the choices, or the metavar."""
        return "|".join(self.choices) if self.type == "choice" else self.metavar


_SERVICES = ("google", "openai")


def _who(name: str, type: OptionType, help: str, short: str = "", hint: str = "") -> Option:
    return Option(name, type, help, short, hint, group="Who answers")


def _setting(
    name: str,
    type: OptionType,
    help: str,
    short: str = "",
    hint: str = "",
    *,
    choices: tuple[str, ...] = (),
    repeat: bool = False,
    low: float | None = None,
    high: float | None = None,
    kinds: tuple[str, ...] = ALL_KINDS,
    group: str = "Run settings",
) -> Option:
    return Option(name, type, help, short, hint, choices, repeat, True, low, high, kinds, group)


def _picture(
    name: str, type: OptionType, help: str, short: str = "", hint: str = "",
    *, choices: tuple[str, ...] = (), low: float | None = None, high: float | None = None,
) -> Option:  # fmt: skip
    return _setting(
        name, type, help, short, hint, choices=choices, low=low, high=high,
        kinds=_SERVICES, group="Pictures and sound",
    )  # fmt: skip


def _what(
    name: str, type: OptionType, help: str, short: str = "", hint: str = "",
    choices: tuple[str, ...] = (),
) -> Option:  # fmt: skip
    return Option(name, type, help, short, hint, choices, group="What becomes of the answer")


def _tool(
    name: str, type: OptionType, help: str, hint: str = "",
    *, low: float | None = None, high: float | None = None, kinds: tuple[str, ...] = ALL_KINDS,
) -> Option:  # fmt: skip
    return Option(
        name, type, help, "", hint, minimum=low, maximum=high, kinds=kinds,
        group="What the model may use",
    )  # fmt: skip


# One row each, in the order of ``--help`` and of a cell's canonical text.
# fmt: off
OPTIONS: tuple[Option, ...] = (
    _who("model", "text", "the model, or BACKEND:MODEL", "m", "MODEL"),
    _who("route", "text", "a route of your configuration, tried in its order", "r", "NAME"),
    _who("no-fallback", "flag", "only the route's first backend, whatever happens"),
    _who("compare", "names", "ask these models at once, side by side", "", "MODELS"),
    _who("force", "flag", "send it whatever the quota's limits say"),
    _who("fresh", "flag", "ask, even if the answer is stored"),
    _who("cached", "flag", "show the stored answer, if there is one"),
    Option("timeout", "float", "the longest silence to wait out, in seconds (120)", "", "S",
           minimum=0.1, maximum=3600, group="Who answers"),

    Option("image", "value", "a picture: path, URL or variable (repeatable)", "i", "PICTURE",
           repeat=True, kinds=_SERVICES, group="What is asked"),
    Option("file", "value", "a file: path, URL or variable (repeatable)", "f", "FILE",
           repeat=True, group="What is asked"),
    Option("max-pixels", "int", "shrink pictures that have more pixels than this", "", "N",
           minimum=1, group="What is asked"),
    Option("system", "text", "the system instruction", "s", "TEXT", group="What is asked"),
    Option("chat", "name", "make the cell a turn of this conversation", "c", "NAME",
           group="What is asked"),
    Option("raw", "flag", "send {{ }} as it is: no placeholders", group="What is asked"),

    _setting("temperature", "float", "randomness, 0 to 2", "t", "N", low=0, high=2),
    _setting("top-p", "float", "nucleus sampling, 0 to 1", "", "N", low=0, high=1),
    _setting("top-k", "int", "sample from the K likeliest tokens", "", "K", low=1,
             kinds=("google", "local")),
    _setting("max-output-tokens", "int", "the longest answer, in tokens", "", "N", low=1),
    _setting("stop", "text", "end the answer before this text (repeatable)", "", "TEXT",
             repeat=True),
    _setting("seed", "int", "repeatable sampling, where the model can", "", "N"),
    _setting("presence-penalty", "float", "against subjects that came up, -2 to 2", "", "N",
             low=-2, high=2),
    _setting("frequency-penalty", "float", "against words that came often, -2 to 2", "", "N",
             low=-2, high=2),
    _setting("thinking", "thinking", "off, low, medium, high, or a budget in tokens", "", "LEVEL",
             choices=("off", "low", "medium", "high"), kinds=_SERVICES),
    _setting("safety", "choice", "how much is blocked as harmful", "",
             choices=("off", "none", "few", "some", "most"), kinds=("google",)),
    _setting("media-resolution", "choice", "how closely pictures and films are looked at", "",
             choices=("low", "medium", "high"), kinds=_SERVICES),

    _picture("modalities", "names", "what the answer is made of: text, image, audio", "", "LIST",
             choices=("text", "image", "audio")),
    _picture("size", "text", "of pictures: 1K, 2K, 4K, or WIDTHxHEIGHT", "", "SIZE"),
    _picture("aspect", "text", "of pictures: a ratio such as 16:9", "", "W:H"),
    _picture("quality", "choice", "of pictures", "", choices=("low", "medium", "high")),
    _picture("count", "int", "how many pictures", "n", "N", low=1, high=10),
    _picture("voice", "text", "who speaks, by the service's name for the voice", "", "NAME"),

    _tool("tools", "names", "functions of yours that the model may have called", "FUNCTIONS"),
    _tool("max-hops", "int", "how many rounds of calls there may be (8)", "N", low=1, high=100),
    _tool("tool-timeout", "float", "how long one call may take, in seconds (30)", "S",
          low=0.1, high=3600),
    _tool("search", "flag", "let the service search the web", kinds=_SERVICES),
    _tool("url-context", "flag", "let the service read the addresses in the prompt",
          kinds=("google",)),
    _tool("code-execution", "flag", "let the service write programs and run them",
          kinds=("google",)),

    Option("schema", "json", "what the answer must fit: a type, a JSON schema, or 'name, age int'",
           "", "TYPE|JSON", group="What becomes of the answer"),
    _what("repair", "flag", "where the answer does not fit, ask once more"),
    _what("out", "name", "bind the reply to this variable", "o", "NAME"),
    _what("def", "name", "make a function of the cell, with its placeholders as parameters", "",
          "NAME"),
    _what("as", "choice", "show the answer as this", "", "FORM",
          ("markdown", "text", "json", "code", "html", "df")),
    _what("save", "text", "where pictures, sound and films are kept (gemini_outputs)", "", "DIR"),
    _what("quiet", "flag", "show nothing; the reply is bound all the same", "q"),
    _what("allow-remote-images", "flag", "load pictures that the answer links to"),

    Option("dry-run", "flag", "show what would be sent, and send nothing"),
    Option("help", "flag", "show this help", "h"),
)
# fmt: on
