"""Random numbers, the repeatable and the secret."""
import random
import secrets
import uuid

random.seed(42)
print([random.randint(1, 100) for _ in range(5)], round(random.gauss(0, 1), 6))
print(len(secrets.token_hex(16)), uuid.uuid5(uuid.NAMESPACE_DNS, "example.org"), uuid.uuid4().version)
