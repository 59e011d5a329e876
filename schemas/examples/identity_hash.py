"""The keyed hash of an identifier, to join published records with a system that knows the identifier in the clear.

    python identity_hash.py acme email ann@example.org < hash_key_in_hex

Needs blake3. The key is the deployment's 32-byte hash key, a secret. The value must be normalized first: addresses in
lower case, phone numbers in E.164.
"""

import sys

import blake3


def identifier_hash(key, tenant, kind, value):
    """32 hex digits: the first 16 bytes of keyed BLAKE3 over the fields joined by zero bytes."""
    fields = b"\x00".join(field.encode() for field in ("identifier", tenant, kind, value))
    return blake3.blake3(fields, key=key).digest(length=16).hex()


RANKS = ["customer_id", "login", "loyalty_card", "email", "phone", "handle", "device", "cookie", "visit", "unlinked"]


def customer_id(key, tenant, kind, value):
    """34 hex digits: the rank of the identifier's type, then its hash."""
    return f"{RANKS.index(kind):02x}{identifier_hash(key, tenant, kind, value)}"


if __name__ == "__main__":
    print(customer_id(bytes.fromhex(sys.stdin.read().strip()), *sys.argv[1:4]))
