"""Verifies the mails of a folder with dkimpy. Arguments: name server, port, folder.

Prints one line for each signature: file, d=, s=, a=, then pass or why not.
"""
import os
import sys

import dkim
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = [sys.argv[1]]
resolver.port = int(sys.argv[2])
resolver.cache = dns.resolver.LRUCache()


def txt(name, timeout=5):
    answer = resolver.resolve(name.decode("ascii"), "TXT", lifetime=timeout)
    return b"".join(answer[0].strings)


for name in sorted(os.listdir(sys.argv[3])):
    with open(os.path.join(sys.argv[3], name), "rb") as file:
        message = dkim.DKIM(file.read(), minkey=2048)
    count = sum(1 for field, _ in message.headers if field.lower() == b"dkim-signature")
    if count == 0:
        print(name, "-", "-", "-", "unsigned")
    for index in range(count):
        try:
            verdict = "pass" if message.verify(idx=index, dnsfunc=txt) else "fail"
        except dkim.DKIMException as error:
            verdict = "fail " + str(error)
        fields = message.signature_fields
        print(name, *(fields.get(tag, b"?").decode() for tag in (b"d", b"s", b"a")), verdict)
