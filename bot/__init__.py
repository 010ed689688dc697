"""Replies and answers; the command line and the page.

Nothing phones home: LangChain would send every prompt to LangSmith where these are set, for other programs' sake. It
reads them once, so they are settled before it is imported.
"""

import os

for _name in (
    "LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_GATEWAY",
):  # fmt: skip
    os.environ[_name] = "false"
