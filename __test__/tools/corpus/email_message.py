"""Makes and reads an email."""
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

message = EmailMessage()
message["Subject"] = "Grüße"
message["From"] = "a@example.org"
message["To"] = "b@example.org"
message.set_content("Hello\n")
message.add_attachment(b"\0\1\2", maintype="application", subtype="octet-stream", filename="x.bin")
parsed = BytesParser(policy=policy.default).parsebytes(bytes(message))
print(parsed["Subject"], [part.get_content_type() for part in parsed.walk()])
