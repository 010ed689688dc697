"""The child process that renders chat templates, one request (a line of JSON) after another; ends with its stdin.

A template is a Jinja program by whoever made the model. Jinja's sandbox keeps it from files and code, and nothing in
Jinja keeps it from running for ever or filling the memory: this process has little memory, and little time a request.
"""

import json
import sys
from typing import Any

from data.limits import arm, limit_memory

SECONDS = 5  # a rendering may take; others take milliseconds
_MEMORY = 2 << 30  # bytes of address space, most of it libraries'


def main() -> None:
    """Answer requests {"template", "turns", "names", "most"} with {"text"} or {"error"}; first say ready, with {}."""
    from transformers.utils.chat_template_utils import render_jinja_template

    limit_memory(_MEMORY)
    _answer({})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        arm(SECONDS + 1)
        try:
            rendered: Any = render_jinja_template(
                conversations=[request["turns"]],
                chat_template=request["template"],
                add_generation_prompt=True,
                **request["names"],
            )
            text = rendered[0][0]
            if len(text) > request["most"]:
                raise ValueError(f"it writes more than {request['most']:,} characters")
            answer = {"text": text}
        except Exception as error:  # a template raises whatever it likes
            answer = {"error": " ".join(str(error).split())[:200] or type(error).__name__}
        arm(0)
        _answer(answer)


def _answer(answer: dict[str, str]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
