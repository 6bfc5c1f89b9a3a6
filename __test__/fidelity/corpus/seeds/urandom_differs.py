import os
import secrets
import uuid

print(os.urandom(16) != os.urandom(16), secrets.token_hex() != secrets.token_hex(), uuid.uuid4() != uuid.uuid4())
