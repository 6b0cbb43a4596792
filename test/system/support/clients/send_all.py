"""Sends every case of a table with smtplib: send_all.py TABLE USERNAME PASSWORD CA."""

import smtplib
import ssl
import sys

table, username, password, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)


def connect(way, port, login):
    kind = smtplib.SMTP_SSL if way == "implicit" else smtplib.SMTP
    more = {"context": context} if way == "implicit" else {}
    client = kind("127.0.0.1", int(port), local_hostname="client.test", timeout=30, **more)
    if way == "starttls":
        client.starttls(context=context)
    if login == "login":
        client.login(username, password)
    return client


def send(way, port, login, kind, sender, recipients, path):
    with open(path, "rb") as file:
        content = file.read()
    with connect(way, port, login) as client:
        options = {"8-bit": ["BODY=8BITMIME"], "smtputf8": ["SMTPUTF8", "BODY=8BITMIME"]}.get(kind, [])
        refused = client.sendmail(sender, recipients, content, mail_options=options)
        if refused:
            raise RuntimeError(repr(refused))


for line in open(table, encoding="utf-8"):
    case, way, port, login, kind, sender, recipients, path = line.rstrip("\n").split("\t")
    try:
        send(way, port, login, kind, sender, recipients.split(","), path)
        print(f"{case}\tok\t", flush=True)
    except Exception as fault:  # every fault is this case's answer
        text = str(fault).replace("\t", " ").replace("\n", " ")
        print(f"{case}\tfault\t{type(fault).__name__} {text}", flush=True)
