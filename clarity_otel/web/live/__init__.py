"""The live feed: what the writer has accepted, pushed to open pages by WebSocket.

`gathering` takes batches as they are accepted and bounds them, `delta` is what one interval
brought, `feed` keeps a ring of deltas and wakes the clients, `subscription` is what a client
asked for, `socket` is the WebSocket. Nothing here asks the store.
"""
