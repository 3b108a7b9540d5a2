"""How passwords are hashed: Argon2id at OWASP's parameters (password storage cheat sheet, 46 MiB, t=1, p=1).

Django's default of 100 MiB and 8 lanes costs four times the CPU per login (measured.md section 4).
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id, m=46 MiB, t=1, p=1."""

    time_cost = 1
    memory_cost = 46 * 1024
    parallelism = 1
