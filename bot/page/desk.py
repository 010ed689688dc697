"""What the tabs share: the assistant, a view of it for each persona and knowledge base, and work in the background."""

import threading
from collections.abc import Callable

from bot.assistant import Assistant
from bot.drafts_log import DraftLog
from bot.page.uploads import Uploads
from bot.responders import Asked
from data.errors import ShawGPTError
from data.persona import Persona, list_personas

PATIENCE = 20  # seconds that the end of the server waits for a document in the making


class Desk:
    """One for the server. Nothing of a session is kept here."""

    def __init__(self, assistant: Assistant, persona: str) -> None:
        self.assistant = assistant
        self.persona = persona  # the slug it was started with
        self.log = DraftLog(assistant.database)
        self.uploads = Uploads(assistant.folder.path)
        self.writing = threading.Lock()  # held while documents come or go
        self.closing = threading.Event()  # set when the server stops: work in the background ends soon
        self._workers: list[threading.Thread] = []
        self._views: dict[tuple[str, str], Assistant] = {}
        self._lock = threading.Lock()

    def view(self, persona: str, kb: str) -> Assistant:
        """The assistant with this persona and knowledge base; models, database and index are shared by all views."""
        with self._lock:
            if (persona, kb) not in self._views:
                asked = self.assistant.asked
                if persona != self.persona:  # which may have another responder
                    asked = Asked(compiled=asked.compiled)
                self._views[persona, kb] = self.assistant.view(persona, asked, kb)
            return self._views[persona, kb]

    def knowledge_bases(self) -> list[str]:
        """Those there are, and the one that the first document will make."""
        return sorted({*self.assistant.store.knowledge_bases(), self.assistant.kb})

    def personas(self) -> list[tuple[str, str]]:
        """The usable personas as (name shown, slug)."""
        found = list_personas(self.assistant.folder.path)
        return [(persona.name, slug) for slug, persona in found.items() if isinstance(persona, Persona)]

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
            view.draft("Thanks, this was really helpful!")
        except ShawGPTError:
            pass  # whoever asks first is told
