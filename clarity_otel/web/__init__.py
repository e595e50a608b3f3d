"""The dashboard's HTTP: a JSON API on the store, behind a token, on 127.0.0.1.

`api` are the questions, `access` who is answered, `live` the WebSocket, `app` puts
them together with the pages.
"""
