//! What a server counts: requests, their sizes, refusals, failures, WebSockets.
//!
//! Names and labels: stable HTTP semantic conventions (HTTP metrics); the route is
//! the router's template or nothing, never the raw path.

use super::labels::Id;
use super::table::Labels;
use super::{Name, Origin, lock};

/// A request or WebSocket that is being served.
pub struct Served {
    method: Id,
    scheme: Id,
    pub route: Id,
    is_websocket: bool,
    /// The WebSocket is accepted and not closed.
    is_open: bool,
    /// By the request's Content-Length.
    request_bytes: Option<u64>,
    /// By the response's Content-Length, for bodies that pass us by as a path.
    pub announced_bytes: Option<u64>,
    /// Of the response's body so far.
    pub response_bytes: u64,
    /// The body is a file that the server reads by itself.
    pub is_sent_by_path: bool,
}

/// What is known at a request's end.
pub struct Ended<'a> {
    /// Empty where no route matched.
    pub route: &'a str,
    /// 0 where no response was begun.
    pub status: u16,
    /// Empty where nothing failed.
    pub error: &'a str,
    pub seconds: f64,
    pub origin: Origin,
    /// The client was gone before the whole response was sent.
    pub is_disconnected: bool,
}

/// A request begins. `None` while there is nothing to count with.
pub fn begin(method: &str, scheme: &str, request_bytes: Option<u64>) -> Option<Served> {
    let mut state = lock();
    let state = state.as_mut()?;
    let served = Served {
        method: state.id(Name::ServerActive, 0, method),
        scheme: state.id(Name::ServerActive, 1, scheme),
        route: 0,
        is_websocket: false,
        is_open: false,
        request_bytes,
        announced_bytes: None,
        response_bytes: 0,
        is_sent_by_path: false,
    };
    state.add(Name::ServerActive, served.active(), 1.0);
    Some(served)
}

/// A WebSocket's handshake begins.
pub fn begin_websocket() -> Option<Served> {
    lock().as_ref().map(|_| Served {
        method: 0,
        scheme: 0,
        route: 0,
        is_websocket: true,
        is_open: false,
        request_bytes: None,
        announced_bytes: None,
        response_bytes: 0,
        is_sent_by_path: false,
    })
}

impl Served {
    #[inline]
    fn active(&self) -> Labels {
        [self.method, self.scheme, 0, 0, 0]
    }

    /// The bytes of the response's body that were sent; `None` where nobody knows.
    #[inline]
    fn sent_bytes(&self, is_head: bool) -> Option<u64> {
        match (is_head, self.is_sent_by_path) {
            (true, _) => Some(0),
            (false, true) => self.announced_bytes,
            (false, false) => Some(self.response_bytes),
        }
    }

    /// The response is complete, or the application has given up.
    pub fn end(&mut self, is_head: bool, ended: &Ended<'_>) {
        let mut state = lock();
        let Some(state) = state.as_mut() else {
            return;
        };
        let route = state.id(Name::ServerDuration, 1, ended.route);
        self.route = route;
        let status = ended.status;
        if matches!(status, 401 | 403 | 429) {
            let refused = state.number(Name::SecurityAnswers, 1, status);
            state.add(Name::SecurityAnswers, [route, refused, 0, 0, 0], 1.0);
        }
        if self.is_websocket {
            if std::mem::take(&mut self.is_open) {
                state.add(Name::WebSocketActive, [route, 0, 0, 0, 0], -1.0);
            }
            return;
        }
        state.add(Name::ServerActive, self.active(), -1.0);
        let error = state.id(Name::ServerDuration, 4, ended.error);
        let status = state.number(Name::ServerDuration, 2, status);
        let exemplar = state.exemplar(ended.origin);
        let labels = [self.method, route, status, self.scheme, error];
        state.observe(Name::ServerDuration, labels, ended.seconds, exemplar);
        let labels = [self.method, route, status, 0, 0];
        if let Some(bytes) = self.request_bytes {
            state.observe(Name::ServerRequestSize, labels, bytes as f64, exemplar);
        }
        if let Some(bytes) = self.sent_bytes(is_head).filter(|_| ended.status != 0) {
            state.observe(Name::ServerResponseSize, labels, bytes as f64, exemplar);
        }
        if ended.is_disconnected {
            state.add(Name::ServerDisconnects, [route, 0, 0, 0, 0], 1.0);
        }
    }

    /// An exception left the application. After `end`.
    pub fn raised(&self, exception: &str) {
        if let Some(state) = lock().as_mut() {
            let kind = state.id(Name::ServerExceptions, 1, exception);
            state.add(Name::ServerExceptions, [self.route, kind, 0, 0, 0], 1.0);
        }
    }

    /// The application has accepted the WebSocket.
    pub fn accepted(&mut self, route: &str) {
        if let Some(state) = lock().as_mut() {
            self.route = state.id(Name::WebSocketConnections, 0, route);
            let labels = [self.route, 0, 0, 0, 0];
            state.add(Name::WebSocketConnections, labels, 1.0);
            state.add(Name::WebSocketActive, labels, 1.0);
            self.is_open = true;
        }
    }

    /// One of the ends has closed the WebSocket.
    pub fn closed(&mut self) {
        if std::mem::take(&mut self.is_open) {
            if let Some(state) = lock().as_mut() {
                state.add(Name::WebSocketActive, [self.route, 0, 0, 0, 0], -1.0);
            }
        }
    }

    /// A message went to the client (`transmit`) or came from it (`receive`).
    pub fn message(&self, direction: &str) {
        if let Some(state) = lock().as_mut() {
            let direction = state.id(Name::WebSocketMessages, 1, direction);
            state.add(
                Name::WebSocketMessages,
                [self.route, direction, 0, 0, 0],
                1.0,
            );
        }
    }
}
