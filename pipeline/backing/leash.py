"""Become another program that dies with the process that started it.

Run as a script (``python -I -S leash.py PARENT SIGNAL USER PROGRAM ARGUMENT …``), never imported for its
work: the steps below are for the short time between fork and exec, where a Python with threads may not run.

* ``PARENT`` is the pid of the process to die with, ``SIGNAL`` the number of the signal that ends us then,
  ``USER`` is ``-`` or ``UID:GID``.
* Linux: the kernel sends the signal (``prctl(2)``, PR_SET_PDEATHSIG). It watches the *thread* that forked,
  so whoever starts a leash does so from a thread that stays.
* Elsewhere: this process stays between the two, passes signals on and looks for its parent twice a second.

Order matters: PR_SET_PDEATHSIG is cleared by every change of user or capabilities, so it comes last, and a
parent that died before that is noticed by asking for it afterwards.

Changing the user keeps one capability, CAP_DAC_OVERRIDE. Postgres refuses to run as root; when root starts
it, its files and ours may lie below a folder that nobody else can enter (``/root``), and we change no mode
or owner there. ``access(2)`` would still check without capabilities unless SECBIT_NO_SETUID_FIXUP is set
(``capabilities(7)``).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
PARENT_POLL_S = 0.5


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(ctypes.c_int(option), *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _keep_only(capability: int) -> None:
    """Let this capability alone survive exec without root: permitted, inheritable, then ambient."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; high words
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def become(uid: int, gid: int) -> None:
    """Change to an ordinary user who may still read and write every file (Linux, from root)."""
    _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _keep_only(CAP_DAC_OVERRIDE)


def _run_beside(command: list[str], parent: int, death_signal: int) -> int:
    """Run `command` as a child and end it when `parent` is gone: for systems without PR_SET_PDEATHSIG."""
    child = subprocess.Popen(command)  # noqa: S603 -- our own arguments
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    while child.poll() is None:
        if os.getppid() != parent:
            child.send_signal(death_signal)
            return child.wait()
        time.sleep(PARENT_POLL_S)
    return child.returncode


def main(arguments: list[str]) -> int:
    """Do what the module says; returns only where the program runs beside us."""
    parent, death_signal, user, *command = arguments
    if user != "-":
        uid, _, gid = user.partition(":")
        become(int(uid), int(gid))
    if not sys.platform.startswith("linux"):
        code = _run_beside(command, int(parent), int(death_signal))
        return code if code >= 0 else 128 - code
    _prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() == int(parent):
        os.execv(command[0], command)  # noqa: S606 -- our own arguments
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
