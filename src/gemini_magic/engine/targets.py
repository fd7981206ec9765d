"""Chooses who is asked: from a cell's model and route, and the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gemini_magic import catalog
from gemini_magic.config import Backend, Config, Step, default_target_names
from gemini_magic.errors import UsageError, did_you_mean, sentence
from gemini_magic.types import Target


def choose(
    config: Config,
    find_key: Callable[[Backend], object | None],
    *,
    model: str | None = None,
    route: str | None = None,
    fallback: bool = True,
) -> tuple[Target, ...]:
    """The targets of a cell, in the order in which they are asked; at least one.

    ``model`` is a bare model, ``backend:model``, or a backend's name (its default model is asked
    then). A bare model goes to the first backend of the route that has it, and where none has it
    and it is one of Google's, to Google, unless ``route`` was named for this cell: never silently
    to another model. Raises ``UsageError`` and ``ConfigError``.
    """
    if model is None and (route is not None or _route_is_stronger(config)):
        wish = config.split_model(config.model)[1] if config.model else None
        return _along(config, _steps(config, route, find_key), wish, fallback)
    asked = model or config.model
    if asked is not None:
        name, rest = config.split_model(asked)
        if name is None and (asked in config.backends or asked in config.presets):
            name, rest = asked, ""
        if name is not None and route is not None:
            raise UsageError(
                f"--route {route} and the backend in -m {asked} exclude each other; "
                "nothing was sent."
            )
        if name is not None:
            return (_target(config, Step(name), rest or None, exact=True),)
    steps = _steps(config, route, find_key)
    if asked is not None:
        having = [i for i, step in enumerate(steps) if config.backend(step.backend).has(asked)]
        if having:
            steps = steps[having[0] :]
        elif catalog.is_google(asked) and route is None:
            steps = (Step("studio"),)
        else:
            raise _nobody_has(asked, config, steps)
    return _along(config, steps, asked, fallback)


#: Where a setting may come from (``Config.sources``), the strongest last.
_LAYERS = ("built in", "user file", "project file", "GEMINI_MAGIC_", "this session")


def _route_is_stronger(config: Config) -> bool:
    """Whether the route was chosen over the model: then the model is only a wish.

    So ``%gemini use local`` keeps prompts on this machine, whatever model a file names.
    """

    def rank(name: str) -> int:
        source = config.sources.get(name, "built in")
        return next(i for i, layer in enumerate(_LAYERS) if source.startswith(layer))

    return config.route is not None and rank("route") > rank("model")


def _steps(
    config: Config, route: str | None, find_key: Callable[[Backend], object | None]
) -> tuple[Step, ...]:
    if steps := config.steps(route):
        return steps
    unrouted = replace(config, route=None)  # the route "default", which nobody wrote
    return tuple(map(Step, default_target_names(unrouted, find_key)))


def _along(
    config: Config, steps: tuple[Step, ...], wish: str | None, fallback: bool
) -> tuple[Target, ...]:
    """The steps' targets: with the model that is wished for where a step has it, else its own."""
    first = _target(config, steps[0], wish, exact=False)
    if not first.model:
        first = _target(config, steps[0], None, exact=True)  # says what is missing
    if not fallback:
        return (first,)
    others = (_target(config, step, wish, exact=False) for step in steps[1:])
    return (first, *(target for target in others if target.model))


def _target(config: Config, step: Step, asked: str | None, *, exact: bool) -> Target:
    """A step's target; with ``exact`` a model that it does not know is asked all the same."""
    service = config.backend(step.backend)
    model = service.map_model(asked) if exact and asked else service.model_for(asked)
    if model is None and service.google:
        model = service.map_model(catalog.default_model())
    if model is None and exact:
        raise UsageError(
            f"{service.name} has no default model; nothing was sent.",
            f"Name one: -m {service.name}:MODEL (%gemini models {service.name} lists them)",
        )
    return Target(step.backend, model or "", step.when)


def _nobody_has(asked: str, config: Config, steps: tuple[Step, ...]) -> UsageError:
    backends = (*config.backends, *config.presets)
    prefix, colon, _ = asked.partition(":")
    if colon and (hint := did_you_mean(prefix, backends)):
        return UsageError(f"there is no backend {prefix!r}; nothing was sent.", sentence(hint))
    services = [config.backend(step.backend) for step in steps]
    known = [model.name for model in catalog.google_models()]
    known += [service.model for service in services if service.model]
    hint = did_you_mean(asked, (*known, *backends)) or f"name its backend: -m BACKEND:{asked}"
    return UsageError(
        f"no backend of the route ({', '.join(service.name for service in services)}) "
        f"has a model {asked!r}; nothing was sent.",
        sentence(hint),
    )
