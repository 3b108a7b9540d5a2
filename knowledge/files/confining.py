"""Locks the current process in before it reads a stranger's file: bounded time and memory, no network, no new program,
no files. For a process of its own that reads one file and ends; nothing here can be undone.

The parsers are C and C++ libraries that read whatever anybody uploads. Limits end a bomb; the system call filter keeps
a parser that was taken over from reaching the network, the disk's secrets or another program.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Sequence
from typing import Final

CPU_S: Final = 20
MEMORY: Final = 768 * 1024 * 1024
"""Bytes of address space."""
OUTPUT: Final = 48 * 1024 * 1024
"""Bytes that may be written: 10 MB of text is at most some 40 MB as escaped JSON."""
NICENESS: Final = 5
"""Conversations go first."""

# linux/prctl.h, linux/seccomp.h, linux/audit.h, linux/filter.h
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER: Final = 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # the call fails with EPERM
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
X32_CALLS: Final = 0x40000000
"""x86-64's second numbering of the same calls begins here; ours end far below."""
AUDIT_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# What is refused, and its numbers on x86-64 and AArch64 (the kernel's syscall tables; AArch64 lacks the old calls).
# Threads are refused with new processes: none is needed any more.
REFUSED: Final[tuple[tuple[str, int | None, int | None], ...]] = (
    ("open", 2, None), ("creat", 85, None), ("openat", 257, 56), ("openat2", 437, 437),
    ("unlink", 87, None), ("unlinkat", 263, 35), ("rename", 82, None), ("renameat", 264, 38), ("renameat2", 316, 276),
    ("socket", 41, 198), ("socketpair", 53, 199), ("connect", 42, 203), ("sendto", 44, 206),
    ("io_uring_setup", 425, 425), ("bpf", 321, 280), ("userfaultfd", 323, 282), ("mount", 165, 40),
    ("execve", 59, 221), ("execveat", 322, 281), ("fork", 57, None), ("vfork", 58, None), ("clone", 56, 220),
    ("clone3", 435, 435), ("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271),
    ("kill", 62, 129), ("tkill", 200, 130),
)  # fmt: skip


def limit() -> None:
    """Bound CPU seconds, memory and output, and die with the parent. Call it before anything is read."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def shut_in() -> bool:
    """From now on no file can be opened, no socket made, no program started. Call it when everything is imported and
    the input is read. False where this kernel or processor has no such filter: the limits hold all the same."""
    architecture = AUDIT_ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    column = 1 + list(AUDIT_ARCHITECTURES).index(platform.machine())
    numbers = [entry[column] for entry in REFUSED]
    program = _program(architecture, [number for number in numbers if isinstance(number, int)])
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions (8 bytes each), then a pointer to them.
    described = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0) == 0)


def _program(architecture: int, refused: Sequence[int]) -> bytes:
    """A filter of classic BPF over struct seccomp_data, where the call's number is at 0 and the architecture at 4.
    Jumps count the instructions that are left out."""
    count = len(refused)
    steps = [
        (LOAD, 0, 0, 4),
        (JUMP_IF_EQUAL, 0, count + 3, architecture),  # another architecture has other numbers: refuse it
        (LOAD, 0, 0, 0),
        (JUMP_IF_AT_LEAST, count + 1, 0, X32_CALLS),
        *((JUMP_IF_EQUAL, count - at, 0, number) for at, number in enumerate(refused)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
