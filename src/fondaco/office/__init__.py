"""The office: what people meet in a browser. Django, served under WSGI beside the gateway."""
