"""What the tests of the Python face share: an executor whose events are kept, and both stores."""

import threading

import pytest

from spry import EventBus, InMemoryStore, SQLiteStore, Task, TaskExecutor, TaskType


class Seen(list):
    """Events as they came; `kinds` in short, and a way to wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def __call__(self, event) -> None:
        with self.changed:
            self.append(event)
            self.changed.notify_all()

    @property
    def kinds(self) -> list[str]:
        return [event.type.name for event in self]

    def of(self, task) -> list[str]:
        return [event.type.name for event in self if event.task == task]

    def wait_for(self, kind: str, task=None) -> None:
        """Until such an event has come, of this task."""

        def came():
            return any(event.type.name == kind and task in (None, event.task) for event in self)

        with self.changed:
            assert self.changed.wait_for(came, timeout=30), f"no {kind} came"


@pytest.fixture
def executor():
    return TaskExecutor()


@pytest.fixture
def seen(executor):
    found = Seen()
    executor.events.subscribe(found)
    return found


@pytest.fixture
def bus():
    return EventBus()


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    return InMemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "tasks.db")


@pytest.fixture
def handled(executor):
    """A way to make tasks out of functions: each prompt is done by the function of its payload."""
    functions = {}

    def make(function, title="", **fields):
        task = Task.prompt(str(len(functions)), title=title, **fields)
        functions[task.payload] = function
        return task

    executor.register(TaskType.PROMPT, lambda context: functions[context.payload](context))
    return make
