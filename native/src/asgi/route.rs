//! The route of a request, read when it ends: the template that the router
//! matched, never the raw path.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use super::keys::{Keys, item, keys};

/// The route of a request, and the name that it gives to the span.
pub struct Route {
    pub template: Arc<str>,
    pub span_name: Py<PyString>,
}

impl Route {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        Route {
            template: self.template.clone(),
            span_name: self.span_name.clone_ref(py),
        }
    }
}

/// A route object seen before. The references keep the objects, and so their
/// addresses, from being used again.
struct Known {
    matched: Option<Py<PyAny>>,
    included: Option<Py<PyAny>>,
    method: Box<str>,
    route: Route,
}

/// By the address of the route object: a service has some dozen routes. Reading a
/// template and building a name from it costs ten times the look-up.
static KNOWN: Mutex<[Option<Known>; SLOTS]> = Mutex::new([const { None }; SLOTS]);
const SLOTS: usize = 128;

#[inline]
fn same(one: Option<&Py<PyAny>>, other: Option<&Bound<'_, PyAny>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is(other),
        (None, None) => true,
        _ => false,
    }
}

/// The request's route, if it has one.
pub fn of(scope: &Bound<'_, PyDict>, method: &str) -> PyResult<Option<Route>> {
    let keys = keys(scope.py());
    let matched = item(scope, &keys.route);
    let included = included_route(scope, keys)?;
    let object = included.as_ref().or(matched.as_ref());
    // Objects stand 16 bytes apart, and routes are large. Below a mount it is another route.
    let slot = object
        .filter(|_| item(scope, &keys.mount).is_none())
        .map(|object| (object.as_ptr() as usize >> 6) % SLOTS);
    if let Some(slot) = slot {
        if let Some(known) = &KNOWN.lock()[slot] {
            if same(known.matched.as_ref(), matched.as_ref())
                && same(known.included.as_ref(), included.as_ref())
                && *known.method == *method
            {
                return Ok(Some(known.route.clone_ref(scope.py())));
            }
        }
    }
    read(scope, method, matched, included, slot)
}

/// The same from the route objects; what they say by themselves is kept in `slot`.
#[cold]
fn read(
    scope: &Bound<'_, PyDict>,
    method: &str,
    matched: Option<Bound<'_, PyAny>>,
    included: Option<Bound<'_, PyAny>>,
    slot: Option<usize>,
) -> PyResult<Option<Route>> {
    let py = scope.py();
    let own = own_template(py, matched.as_ref(), included.as_ref())?;
    let is_own = own.is_some();
    let Some(template) = whole_template(scope, own, matched.is_some())? else {
        return Ok(None);
    };
    let route = Route {
        span_name: PyString::new(py, &format!("{method} {template}")).unbind(),
        template: template.into(),
    };
    if let (Some(slot), true) = (slot, is_own) {
        let known = Known {
            matched: matched.map(Bound::unbind),
            included: included.map(Bound::unbind),
            method: method.into(),
            route: route.clone_ref(py),
        };
        // What it replaces may run code when it is freed: not under the lock.
        let former = KNOWN.lock()[slot].replace(known);
        drop(former);
    }
    Ok(Some(route))
}

/// FastAPI >= 0.137 keeps an included router's full template here. Below a mount
/// it may be another route's.
fn included_route<'py>(
    scope: &Bound<'py, PyDict>,
    keys: &Keys,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = scope.py();
    let Some(fastapi) = item(scope, &keys.fastapi) else {
        return Ok(None);
    };
    let Ok(fastapi) = fastapi.cast::<PyDict>() else {
        return Ok(None);
    };
    let context = fastapi.get_item(intern!(py, "effective_route_context"))?;
    Ok(context.filter(|context| !context.is_none()))
}

/// Route classes known not to be mounts. A look-up of an attribute that is not
/// there makes an AttributeError each time, 1.5 us a request.
static PLAIN_ROUTES: Mutex<Vec<Py<PyType>>> = Mutex::new(Vec::new());
const PLAIN_ROUTES_LIMIT: usize = 16;

/// Whether a route is a Mount: its own template ends in `{path}`, and the prefix
/// noted below it says it better.
fn is_mount(route: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = route.get_type();
    if PLAIN_ROUTES.lock().iter().any(|plain| plain.is(&class)) {
        return Ok(false);
    }
    if route.hasattr(intern!(route.py(), "_base_app"))? {
        return Ok(true);
    }
    let mut plain = PLAIN_ROUTES.lock();
    if plain.len() < PLAIN_ROUTES_LIMIT {
        plain.push(class.unbind());
    }
    Ok(false)
}

/// The template that the route objects themselves hold.
fn own_template(
    py: Python<'_>,
    matched: Option<&Bound<'_, PyAny>>,
    included: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<String>> {
    let template = |object: &Bound<'_, PyAny>| -> Option<String> {
        object
            .getattr(intern!(py, "path_format"))
            .ok()?
            .extract()
            .ok()
            .filter(|template: &String| !template.is_empty())
    };
    let mut route = None;
    if let Some(included) = included {
        let original = included.getattr(intern!(py, "original_route"))?;
        if matched.is_none_or(|m| m.is(&original)) {
            let plain = included.getattr(intern!(py, "starlette_route"))?;
            route = if plain.is_none() {
                template(included)
            } else if is_mount(&plain)? {
                None
            } else {
                template(&plain)
            };
        }
    }
    if let (None, Some(matched)) = (&route, matched) {
        if !is_mount(matched)? {
            route = template(matched);
        }
    }
    Ok(route)
}

/// The template below the mounts that were passed; where the route objects hold
/// none, what our patches noted.
fn whole_template(
    scope: &Bound<'_, PyDict>,
    own: Option<String>,
    is_matched: bool,
) -> PyResult<Option<String>> {
    let py = scope.py();
    let prefix: Option<String> = match scope.get_item(intern!(py, "clarity.mount"))? {
        Some(prefix) => prefix.extract().ok(),
        None => None,
    };
    let mut route = own;
    if route.is_none() {
        // Starlette before 1.0 does not keep the route; our patch of it does.
        if let Some(noted) = scope.get_item(intern!(py, "clarity.route"))? {
            route = noted.extract().ok();
        }
    }
    if route.is_none() && !is_matched && scope.contains(intern!(py, "endpoint"))? {
        // FastAPI's own router keeps no route of Starlette's kind, such as /docs.
        route = py
            .import(intern!(py, "clarity_otel.patches.starlette_routing"))?
            .call_method1(intern!(py, "template_of"), (scope,))?
            .extract()?;
    }
    Ok(match (prefix, route) {
        (None, route) => route,
        (Some(prefix), None) => Some(if prefix.is_empty() {
            "/".into()
        } else {
            prefix
        }),
        (Some(prefix), Some(route)) => Some(prefix + &route),
    })
}
