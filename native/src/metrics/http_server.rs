//! What a server counts: requests, their sizes, refusals, failures, WebSockets.
//!
//! Names and labels: stable HTTP semantic conventions (HTTP metrics); the route is
//! the router's template or nothing, never the raw path.

use super::labels::Id;
use super::memo::{Memo, word};
use super::table::{Labels, NOWHERE};
use super::{Name, Origin, State, lock};

/// Where the series of requests are that went well.
#[derive(Default)]
pub struct Memory {
    beginnings: Vec<Beginning>,
    ends: Memo<End, 64>,
}

/// A method and a scheme; a service sees a handful.
#[derive(Clone, Copy)]
struct Beginning {
    words: (u64, u64),
    method: Id,
    scheme: Id,
    active: usize,
}

/// A route and a status that is no error and no refusal, below a method and a scheme.
#[derive(Clone, Copy)]
struct End {
    route: Id,
    duration: usize,
    response_size: usize,
}

const MOST_BEGINNINGS: usize = 16;

/// A request or WebSocket that is being served.
#[derive(Default)]
pub struct Served {
    method: Id,
    scheme: Id,
    active: usize,
    pub route: Id,
    is_websocket: bool,
    /// The WebSocket is accepted and not closed.
    is_open: bool,
    /// By the request's Content-Length, or what was received so far where it has none.
    request_bytes: Option<u64>,
    /// The bytes that are received are the request's size.
    pub is_body_counted: bool,
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
    let words = word(method.as_bytes()).zip(word(scheme.as_bytes()));
    let known = state.requests.beginnings.iter();
    let known = known.copied().find(|known| Some(known.words) == words);
    let found = known.unwrap_or_else(|| beginning(state, words, method, scheme));
    state.families[Name::ServerActive as usize].add_at(found.active, 1.0);
    Some(Served {
        method: found.method,
        scheme: found.scheme,
        active: found.active,
        request_bytes,
        ..Served::default()
    })
}

#[cold]
fn beginning(
    state: &mut State,
    words: Option<(u64, u64)>,
    method: &str,
    scheme: &str,
) -> Beginning {
    let method = state.id(Name::ServerActive, 0, method);
    let scheme = state.id(Name::ServerActive, 1, scheme);
    let place = state.place(Name::ServerActive, [method, scheme, 0, 0, 0]);
    let found = Beginning {
        words: words.unwrap_or_default(),
        method,
        scheme,
        active: place.unwrap_or(NOWHERE),
    };
    if words.is_some() && state.requests.beginnings.len() < MOST_BEGINNINGS {
        state.requests.beginnings.push(found);
    }
    found
}

/// A WebSocket's handshake begins.
pub fn begin_websocket() -> Option<Served> {
    lock().as_ref().map(|_| Served {
        is_websocket: true,
        ..Served::default()
    })
}

impl Served {
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
        if self.is_websocket {
            self.end_websocket(state, ended);
            return;
        }
        state.families[Name::ServerActive as usize].add_at(self.active, -1.0);
        let status = ended.status;
        let number = u64::from(self.method) << 32 | u64::from(self.scheme) << 16;
        let number = number | u64::from(status);
        let known = match ended.error.is_empty() {
            true => state.requests.ends.get(number, ended.route),
            false => None,
        };
        let found = known.unwrap_or_else(|| self.look_up(state, number, ended));
        self.route = found.route;
        let exemplar = state.exemplar(ended.origin);
        let durations = &mut state.families[Name::ServerDuration as usize];
        durations.observe_at(found.duration, ended.seconds, exemplar);
        if let Some(bytes) = self.sent_bytes(is_head).filter(|_| status != 0) {
            let sizes = &mut state.families[Name::ServerResponseSize as usize];
            sizes.observe_at(found.response_size, bytes as f64, exemplar);
        }
        if let Some(bytes) = self.request_bytes {
            let labels = self.size_labels(state, found.route, status);
            state.observe(Name::ServerRequestSize, labels, bytes as f64, exemplar);
        }
        if is_refusal(status) {
            refused(state, found.route, status);
        }
        if ended.is_disconnected {
            state.add(Name::ServerDisconnects, [found.route, 0, 0, 0, 0], 1.0);
        }
    }

    fn end_websocket(&mut self, state: &mut State, ended: &Ended<'_>) {
        self.route = state.id(Name::ServerDuration, 1, ended.route);
        if is_refusal(ended.status) {
            refused(state, self.route, ended.status);
        }
        if std::mem::take(&mut self.is_open) {
            state.add(Name::WebSocketActive, [self.route, 0, 0, 0, 0], -1.0);
        }
    }

    fn size_labels(&self, state: &mut State, route: Id, status: u16) -> Labels {
        let status = state.number(Name::ServerDuration, 2, status);
        [self.method, route, status, 0, 0]
    }

    /// Finds, or makes, the series of a request that has ended.
    #[cold]
    fn look_up(&self, state: &mut State, number: u64, ended: &Ended<'_>) -> End {
        let route = state.id(Name::ServerDuration, 1, ended.route);
        let error = state.id(Name::ServerDuration, 4, ended.error);
        let sizes = self.size_labels(state, route, ended.status);
        let labels = [self.method, route, sizes[2], self.scheme, error];
        let duration = state.place(Name::ServerDuration, labels);
        // A request that got no response has no size of one.
        let response_size = match ended.status {
            0 => None,
            _ => state.place(Name::ServerResponseSize, sizes),
        };
        let found = End {
            route,
            duration: duration.unwrap_or(NOWHERE),
            response_size: response_size.unwrap_or(NOWHERE),
        };
        if ended.error.is_empty() {
            state.requests.ends.put(number, ended.route, found);
        }
        found
    }

    /// An exception left the application. After `end`.
    pub fn raised(&self, exception: &str) {
        if let Some(state) = lock().as_mut() {
            let kind = state.id(Name::ServerExceptions, 1, exception);
            state.add(Name::ServerExceptions, [self.route, kind, 0, 0, 0], 1.0);
        }
    }

    /// Bytes of a body came whose size nobody has told.
    pub fn receives(&mut self, bytes: u64) {
        self.is_body_counted = true;
        self.request_bytes = Some(self.request_bytes.unwrap_or(0) + bytes);
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

#[inline]
fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 429)
}

fn refused(state: &mut State, route: Id, status: u16) {
    let status = state.number(Name::SecurityAnswers, 1, status);
    state.add(Name::SecurityAnswers, [route, status, 0, 0, 0], 1.0);
}
