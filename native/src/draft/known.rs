//! What repeats in many spans (a Redis command, its server), described once: a draft holds
//! its number, and the exporter puts the encoded attributes there.
//!
//! Nothing of it is to be masked: whoever notes it has seen to that. The table only grows,
//! up to a limit. Thread safety: any. Fork safety: a child goes on with what its parent
//! noted; entries are made with the GIL held, so a fork finds none half made.

use std::sync::OnceLock;

use crate::attributes::SpanAttributes;

/// A number of an entry.
pub type Id = u16;

/// Some hundred bytes each.
const LIMIT: usize = 512;

static TABLE: [OnceLock<Known>; LIMIT] = [const { OnceLock::new() }; LIMIT];

/// A part of what a span says.
pub struct Known {
    name: Box<str>,
    attributes: SpanAttributes,
}

impl Known {
    /// The span's name; empty where this part does not tell it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn attributes(&self) -> &SpanAttributes {
        &self.attributes
    }

    fn is(&self, name: &str, attributes: &SpanAttributes) -> bool {
        *self.name == *name && self.attributes.bytes() == attributes.bytes()
    }
}

/// The number of this name and these attributes; `None` where the table is full.
#[cold]
pub fn note(name: &str, attributes: &SpanAttributes) -> Option<Id> {
    for (id, entry) in TABLE.iter().enumerate() {
        let known = entry.get_or_init(|| Known {
            name: name.into(),
            attributes: attributes.clone(),
        });
        if known.is(name, attributes) {
            return Id::try_from(id).ok();
        }
    }
    None
}

/// What has that number.
pub fn get(id: Id) -> Option<&'static Known> {
    TABLE.get(usize::from(id))?.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same has the same number, and a number leads back to it.
    #[test]
    fn a_number_leads_back() {
        let mut attributes = SpanAttributes::new();
        attributes.push_str("db.system.name", b"redis");
        let id = note("GET", &attributes).unwrap();
        assert_eq!(note("GET", &attributes), Some(id));
        assert_ne!(note("SET", &attributes), Some(id));
        let known = get(id).unwrap();
        assert_eq!(known.name(), "GET");
        assert_eq!(known.attributes().bytes(), attributes.bytes());
        assert!(get(Id::MAX).is_none());
    }
}
