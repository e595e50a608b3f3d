//! What Python says of a signal's exporter, checked; and what follows from it, for whoever
//! has to know the same without sending anything (`clarity doctor`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::export::proxy::{self, Proxy};
use crate::export::{Envelope, ExportConfig, Protocol, Setup, Signal};
use crate::module::{named, optional};

/// Checks the exporter's settings; a ValueError's sentence names the wrong one.
pub fn exporter_setup(
    signal: Signal,
    exporter: &Bound<'_, PyDict>,
    resource: Vec<u8>,
    batch_timeout_ms: u64,
) -> PyResult<Setup> {
    let mut config = config(signal, exporter, |name| std::env::var(name).ok())?;
    config.retry.max_elapsed = match batch_timeout_ms {
        0 => Duration::MAX,
        limit_ms => Duration::from_millis(limit_ms),
    };
    let envelope = Envelope {
        resource: resource.into(),
        resource_schema_url: String::new(),
    };
    Setup::new(config, envelope).map_err(PyValueError::new_err)
}

fn config(
    signal: Signal,
    exporter: &Bound<'_, PyDict>,
    variable: impl Fn(&str) -> Option<String>,
) -> PyResult<ExportConfig> {
    let protocol = match optional::<String>(exporter, "protocol")?.as_deref() {
        Some("grpc") => Protocol::Grpc,
        _ => Protocol::HttpProtobuf,
    };
    let endpoint: String = optional(exporter, "endpoint")?.unwrap_or_default();
    let mut config = ExportConfig::new(signal, protocol, &endpoint);
    if let Some(headers) = optional::<BTreeMap<String, String>>(exporter, "headers")? {
        config.headers = headers.into_iter().collect();
    }
    if let Some(timeout_ms) = optional(exporter, "timeout_ms")? {
        config.timeout = Duration::from_millis(timeout_ms);
    }
    config.gzip = optional(exporter, "gzip")?.unwrap_or(false);
    config.insecure = optional(exporter, "insecure")?.unwrap_or(false);
    config.ca_file = optional(exporter, "ca_file")?;
    config.client_certificate_file = optional(exporter, "client_cert")?;
    config.client_key_file = optional(exporter, "client_key")?;
    config.proxy = proxy::from_environment(&endpoint, variable);
    Ok(config)
}

/// Where a signal's exporter would connect and what it would ask for; see `_native.pyi`.
#[pyfunction]
pub fn exporter_target<'py>(
    py: Python<'py>,
    signal: &str,
    exporter: &Bound<'py, PyDict>,
    environ: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let Some(signal) = named(Some(signal)) else {
        return Err(PyValueError::new_err(format!("{signal} is not a signal.")));
    };
    let config = config(signal, exporter, |name| {
        // What is no text counts as unset, as it does in the process's own environment.
        optional(environ, name).ok().flatten()
    })?;
    let setup = Setup::new(config, Envelope::default()).map_err(PyValueError::new_err)?;
    let target = setup.checked();
    let out = PyDict::new(py);
    out.set_item("tls", target.tls)?;
    out.set_item("host", &target.host)?;
    out.set_item("port", target.port)?;
    out.set_item("authority", &target.authority)?;
    out.set_item("path", &target.path)?;
    let headers = PyDict::new(py);
    for (name, value) in &target.headers {
        headers.set_item(name.as_str(), String::from_utf8_lossy(value.as_bytes()))?;
    }
    out.set_item("headers", headers)?;
    out.set_item("proxy", target.proxy.as_ref().map(shown))?;
    Ok(out)
}

/// Host, port and the value of Proxy-Authorization, or "".
fn shown(proxy: &Proxy) -> (&str, u16, Cow<'_, str>) {
    let authorization = proxy.authorization.as_ref();
    let authorization = authorization.map_or(&b""[..], |value| value.as_bytes());
    (
        &proxy.host,
        proxy.port,
        String::from_utf8_lossy(authorization),
    )
}
