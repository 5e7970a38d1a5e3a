"""For tests of your own task types: `ask` one in the test itself, or serve it in this process.

from doneyet.testing import ask

def test_species():
    assert ask(Iris, features=[5, 3, 1, 0.2])["species"] == "setosa"
"""

from doneyet.testing.ask import ask, ask_all
from doneyet.testing.system import SystemInProcess

__all__ = ["SystemInProcess", "ask", "ask_all"]
