"""Encryption set up as for a connection, and a handshake in memory that is refused."""
import ssl

context = ssl.create_default_context()
print(context.verify_mode.name, context.check_hostname, context.minimum_version.name)
print(len(context.get_ciphers()) > 5, ssl.OPENSSL_VERSION.split()[0], len(ssl.RAND_bytes(8)))
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
line = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
try:
    line.do_handshake()
except ssl.SSLWantReadError:
    print("said hello", outgoing.pending > 100)
