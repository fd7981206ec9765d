"""Loopback servers that are stricter than the real services, for tests, kernels and benchmarks."""

from .google import GoogleServer, Model
from .openai import OpenAIServer
from .quota import Quota
from .script import Answer, Call, Failure, Fault, Picture, Printed, Program, Script, Usage
from .server import Disconnect, Recorded, WireServer

__all__ = [
    "Answer",
    "Call",
    "Disconnect",
    "Failure",
    "Fault",
    "GoogleServer",
    "Model",
    "OpenAIServer",
    "Picture",
    "Printed",
    "Program",
    "Quota",
    "Recorded",
    "Script",
    "Usage",
    "WireServer",
]
