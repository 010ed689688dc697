"""The bot for programs: OpenAI's chat protocol, MCP tools, health and metrics, on the page's own address.

`bot.service.app.Service` puts it together; `bot.service.answering.Answering` is all that it can be asked.
"""
