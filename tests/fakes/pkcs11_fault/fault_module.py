"""The PKCS#11 module of `pkcs11_fault.c`, built with gcc: forwards to a real one, and fails or stalls on command."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("pkcs11_fault.c")
FOR_EVER: Final = 0
STALL: Final = "stall"


class FaultModule:
    """One built module with its orders and its record of calls, for any number of processes."""

    def __init__(self, folder: Path, *, real_module: Path) -> None:
        self.path = folder / "pkcs11_fault.so"
        self._orders = folder / "orders"
        self._calls = folder / "calls"
        self.environment = {
            "STRONGROOM_FAULT_MODULE": str(real_module),
            "STRONGROOM_FAULT_ORDERS": str(self._orders),
            "STRONGROOM_FAULT_CALLS": str(self._calls),
        }
        self.obey()
        self.forget_calls()

    @classmethod
    def build(cls, folder: Path, *, real_module: Path) -> FaultModule:
        """Compile it into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden")
        module = cls(folder, real_module=real_module)
        subprocess.run(["gcc", *flags, "-o", str(module.path), str(SOURCE), "-ldl"], check=True, timeout=60)
        return module

    def fail(self, function: str, code: int, *, first: int = 1, last: int = FOR_EVER) -> None:
        """From now on, the calls of `function` (`*`: of any) so numbered answer `code`; nothing else is ordered."""
        self.obey(f"{function} {first} {last} {code:#x}")

    def stall(self, function: str) -> None:
        """From now on, every call of `function` hangs; nothing else is ordered."""
        self.obey(f"{function} 1 {FOR_EVER} {STALL}")

    def heal(self) -> None:
        """From now on every call goes on."""
        self.obey()

    def obey(self, *lines: str) -> None:
        """Take these orders instead of those before; see `pkcs11_fault.c`."""
        written = self._orders.with_suffix(".new")
        written.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        written.replace(self._orders)

    def calls(self) -> list[str]:
        """The names of the calls that came in, from every process, since they were last forgotten."""
        return self._calls.read_text(encoding="ascii").splitlines()

    def forget_calls(self) -> None:
        """Begin the record anew."""
        self._calls.write_text("", encoding="ascii")
