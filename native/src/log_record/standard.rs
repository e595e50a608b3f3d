//! Records of Python's `logging`.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::origin::Origin;
use super::scopes::scope_of;
use super::severity::severity_number;
use super::text::{TEXT_LIMIT, cut, cut_middle};
use super::writer::Writer;
use super::{Setup, bodies, field};
use crate::ids;
use crate::pipeline::ScopeId;
use crate::proto;
use crate::values::{encode_masked, masked_text, text_of, with_text};

/// Whether the app has cut a logger off on purpose: without a handler on the way to
/// where it stops to propagate. A logger that reaches the root is heard.
pub(super) fn is_silenced(
    py: Python<'_>,
    setup: &Setup,
    logger: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let mut logger = logger.clone();
    loop {
        if logger.getattr(intern!(py, "propagate"))?.is_truthy()? {
            let parent = logger.getattr(intern!(py, "parent"))?;
            if parent.is_none() {
                return Ok(false);
            }
            let handlers = logger.getattr(intern!(py, "handlers"))?;
            if hears(py, setup, &handlers)? {
                return Ok(false);
            }
            logger = parent;
            continue;
        }
        if logger.getattr(intern!(py, "parent"))?.is_none() {
            return Ok(false);
        }
        return Ok(!hears(
            py,
            setup,
            &logger.getattr(intern!(py, "handlers"))?,
        )?);
    }
}

fn hears(py: Python<'_>, setup: &Setup, handlers: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(handlers) = handlers.cast::<PyList>() else {
        return handlers.is_truthy();
    };
    let null = setup.null_handler.bind(py);
    Ok(handlers.iter().any(|handler| !handler.get_type().is(null)))
}

pub(super) fn encode_record(
    py: Python<'_>,
    setup: &Setup,
    record: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
    out: &mut Vec<u8>,
) -> PyResult<ScopeId> {
    let item = |name| attributes.get_item(name);
    let mark = proto::open(out, 2);
    let created = item(intern!(py, "created"))?;
    let created_s = created.and_then(|created| created.extract::<f64>().ok());
    let observed_ns = ids::now_ns();
    let time_ns = created_s.map_or(observed_ns, |seconds| (seconds * 1e9) as u64);
    proto::fixed64_field(out, field::TIME, time_ns);
    proto::fixed64_field(out, field::OBSERVED_TIME, observed_ns);
    let level = item(intern!(py, "levelno"))?;
    let number = level.map_or(0, |level| severity_number(level.extract().unwrap_or(0)));
    if number > 0 {
        proto::varint_field(out, field::SEVERITY_NUMBER, number);
    }
    if let Some(name) = item(intern!(py, "levelname"))? {
        with_text(&text_of(&name), None, |name| {
            proto::bytes_field(out, field::SEVERITY_TEXT, name.as_bytes());
        });
    }
    let (scope, is_known) = match item(intern!(py, "name"))? {
        Some(name) => with_text(&text_of(&name), None, scope_of),
        None => (scope_of("").0, true),
    };
    if bodies::is_sent(number) {
        write_body(py, setup, record, attributes, out)?;
    }
    let origin = Origin::of_record(py, attributes)?;
    origin.write(out);

    let mut writer = Writer {
        out,
        limits: setup.limits,
        start: mark,
        count: 0,
        dropped: 0,
    };
    for (name, key) in [
        (intern!(py, "pathname"), "code.file.path"),
        (intern!(py, "funcName"), "code.function.name"),
    ] {
        if let Some(value) = item(name)? {
            if let Ok(text) = value.cast::<PyString>() {
                with_text(text, None, |text| writer.text(key, text));
            }
        }
    }
    if let Some(line) = item(intern!(py, "lineno"))? {
        if let Ok(line) = line.extract::<i64>() {
            writer.integer("code.line.number", line);
        }
    }
    if let Some(correlation) = &origin.correlation {
        with_text(correlation, None, |id| {
            writer.text("correlation.id", &masked_text(id));
        });
    }
    if !is_known {
        if let Some(name) = item(intern!(py, "name"))? {
            with_text(&text_of(&name), None, |name| {
                writer.text("log.logger", &masked_text(name));
            });
        }
    }
    let exc_info = item(intern!(py, "exc_info"))?.filter(|info| !info.is_none());
    let exc_text = item(intern!(py, "exc_text"))?.filter(|text| !text.is_none());
    if exc_info.is_some() || exc_text.is_some() {
        let texts = setup.exception_texts.bind(py).call1((exc_info, exc_text))?;
        writer.exception(&texts)?;
    }
    if let Some(stack) = item(intern!(py, "stack_info"))?.filter(|stack| !stack.is_none()) {
        with_text(&text_of(&stack), None, |stack| {
            writer.text("code.stacktrace", &cut_middle(&masked_text(stack)));
        });
    }
    for (key, value) in extra_fields(setup, attributes, origin.is_of_the_record) {
        writer.value(&key, &value)?;
    }
    writer.finish();
    proto::close(out, mark);
    Ok(scope)
}

/// The message, masked. A dict for a message keeps its form.
fn write_body(
    py: Python<'_>,
    setup: &Setup,
    record: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    let Some(template) = attributes.get_item(intern!(py, "msg"))? else {
        return Ok(());
    };
    let args = attributes.get_item(intern!(py, "args"))?;
    let has_args = match &args {
        Some(args) => args.is_truthy().unwrap_or(true),
        None => false,
    };
    if !has_args && template.is_instance_of::<PyDict>() {
        let body = proto::open(out, field::BODY);
        encode_masked(out, "", &template, Some(TEXT_LIMIT))?;
        proto::close(out, body);
        return Ok(());
    }
    let made = if !record.get_type().is(setup.record_class.bind(py)) {
        // A class of its own may have a `getMessage` of its own.
        record.call_method0(intern!(py, "getMessage"))
    } else if let (true, Some(args)) = (has_args, args) {
        match template.cast::<PyString>() {
            Ok(template) => template.rem(args),
            Err(_) => template.str().and_then(|template| template.rem(args)),
        }
    } else {
        Ok(text_of(&template).into_any())
    };
    let message = match made {
        Ok(message) => text_of(&message),
        // Arguments that do not fit: `logging` reports that by itself.
        Err(error) if error.is_instance_of::<PyException>(py) => text_of(&template),
        Err(error) => return Err(error),
    };
    with_text(&message, None, |message| {
        let masked = masked_text(message);
        let text = cut(&masked, TEXT_LIMIT);
        let any = 1 + proto::varint_len(text.len() as u64) + text.len();
        proto::tag(out, field::BODY, proto::BYTES);
        proto::varint(out, any as u64);
        proto::bytes_field(out, 1, text.as_bytes());
    });
    Ok(())
}

/// What the app has added to a record, in its order. Runs no Python code.
fn extra_fields<'py>(
    setup: &Setup,
    attributes: &Bound<'py, PyDict>,
    has_ids: bool,
) -> Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)> {
    let mut found = Vec::new();
    for (at, (key, value)) in attributes.iter().enumerate() {
        // A record's own attributes are its first, under the names' own objects.
        if setup.new_keys.get(at).is_some_and(|new| new.is(&key)) {
            continue;
        }
        let Ok(key) = key.cast_into::<PyString>() else {
            continue;
        };
        let is_extra = with_text(&key, None, |name| {
            let is_id = matches!(name, "trace_id" | "span_id" | "correlation_id");
            !(has_ids && is_id || setup.not_extra.contains(name))
        });
        if is_extra {
            found.push((key, value));
        }
    }
    found
}
