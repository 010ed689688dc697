"""What the tabs share: the assistant, a view of it for each persona and knowledge base, and work in the background."""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from bot.assistant import Assistant
from bot.drafts import WrittenBy
from bot.drafts_log import DraftLog
from bot.page.uploads import Uploads
from bot.ready import check_at_a_glance
from bot.responders import Asked, settle
from data.errors import BadInput, ShawGPTError
from data.persona import SHIPPED, Persona, Task, list_personas, load_persona

PATIENCE = 20  # seconds that the end of the server waits for a document in the making


def a_choice(known: Sequence[object]) -> bool | Literal["hidden"]:
    """Whether a selector is shown. A hidden one is on the page all the same, and tells what is chosen in it."""
    return len(known) > 1 or "hidden"


class Desk:
    """One for the server. Nothing of a session is kept here."""

    def __init__(self, assistant: Assistant, persona: str) -> None:
        self.assistant = assistant
        self.persona = persona  # the slug it was started with
        self.log = DraftLog(assistant.database)
        self.uploads = Uploads(assistant.folder.path)
        self.writing = threading.Lock()  # held while documents come or go
        self.trouble = ""  # why the models couldn't be loaded at the start
        self.warm = threading.Event()  # set once they are
        self.closing = threading.Event()  # set when the server stops: work in the background ends soon
        self._workers: list[threading.Thread] = []
        self._views: dict[tuple[str, str], Assistant] = {}
        self._lock = threading.Lock()

    def view(self, persona: str, kb: str) -> Assistant:
        """The assistant with this persona and knowledge base; models, database and index are shared by all views."""
        with self._lock:
            if (persona, kb) not in self._views:
                self._views[persona, kb] = self.assistant.view(persona, self._asked(persona), kb)
            return self._views[persona, kb]

    def writer(self, persona: str) -> WrittenBy:
        """What writes as `persona`. Nothing is loaded or fetched.

        Raises ShawGPTError where that is known to fail: an adapter of another persona, a model that isn't there.
        """
        home = self.assistant.folder.path
        writing = settle(self._asked(persona), load_persona(persona, home), home)
        check_at_a_glance(writing)
        return writing.written_by

    def _asked(self, persona: str) -> Asked:
        """What the command line asked for; of another persona than it named, only what goes for all of them."""
        asked = self.assistant.asked
        return asked if persona == self.persona else Asked(compiled=asked.compiled)

    def knowledge_bases(self) -> list[str]:
        """Those there are, and the one that the first document will make."""
        return sorted({*self.assistant.store.knowledge_bases(), self.assistant.kb})

    def make_knowledge_base(self, name: str) -> None:
        """Make an empty one. Raises BadInput where there is one of that name, or it is no name."""
        if name in self.knowledge_bases():
            raise BadInput(f"there is a knowledge base {name} already: choose it at the top of the page")
        with self.writing:
            self.assistant.store.open_kb(name, self.assistant.embedder.name)

    def personas(self, task: Task | None = None) -> list[tuple[str, str]]:
        """The usable personas, those of a `task` or all, as (name shown, slug)."""
        found = list_personas(self.assistant.folder.path)
        usable = [(persona, slug) for slug, persona in found.items() if isinstance(persona, Persona)]
        return [(persona.name, slug) for persona, slug in usable if task in (None, persona.task)]

    @property
    def replier(self) -> str:
        """The persona that replies begin with: the one the server was started with, where that is its task."""
        known = [slug for _, slug in self.personas("reply")]
        return self.persona if self.persona in known or not known else SHIPPED if SHIPPED in known else known[0]

    def knowledge_base(self, persona: str) -> str:
        """The knowledge base that `persona` answers from: what the command line asked for, else its own."""
        if persona == self.persona:
            return self.assistant.kb
        return load_persona(persona, self.assistant.folder.path).knowledge_base

    def warm_up(self) -> None:
        """Load the models in the background, so that the first question doesn't wait for them."""
        self.work(self._warm)

    def work(self, target: Callable[[], None]) -> None:
        """Run `target` in a thread that `close` waits for."""
        self._workers = [worker for worker in self._workers if worker.is_alive()]
        self._workers.append(threading.Thread(target=target, daemon=True))
        self._workers[-1].start()

    def close(self) -> None:
        """Wait until the background is quiet: a model at work when Python ends would take the process down with it."""
        self.closing.set()
        for worker in self._workers:
            worker.join(PATIENCE)

    def _warm(self) -> None:
        try:
            view = self.view(self.persona, self.assistant.kb)
            if view.persona.task == "quotes":  # whose model may know no conversations
                _ = view.chat if view.writing.model else view.embedder
            elif view.writing.provider:  # which would be sent a comment that nobody wrote, and paid for it
                _ = view.responder
            else:
                view.draft("Thanks, this was really helpful!")
            self.warm.set()
        except ShawGPTError as error:
            self.trouble = str(error)
        except Exception as error:  # of a library: the thread has nobody else to tell
            self.trouble = f"{type(error).__name__}: {error}"
        if self.trouble:
            print(f"shawgpt: {self.trouble}", file=sys.stderr, flush=True)
