//! Columns as Arrow has them, one struct for each table of the store.
//!
//! Names, order and types are those of `TABLES` in `clarity_otel/store/columns.py`: a
//! test compares the two.

use std::sync::Arc;

use super::wire::{Malformed, Result};
use crate::raw::arrow::{self, Buffer};

/// Texts one after the other, and where each ends.
pub struct Texts {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Default for Texts {
    fn default() -> Self {
        Texts {
            ends: vec![0],
            bytes: Vec::new(),
        }
    }
}

impl Texts {
    #[inline]
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end();
    }

    /// Where the next text is written, to be followed by [`Texts::end`].
    #[inline]
    pub fn open(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    #[inline]
    pub fn end(&mut self) {
        // A column that is too long is refused as a whole: see `check`.
        self.ends.push(self.bytes.len() as i32);
    }

    pub fn check(&self) -> Result<()> {
        match i32::try_from(self.bytes.len()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Malformed::Size),
        }
    }

    pub fn get(&self, row: usize) -> &[u8] {
        let (start, end) = (self.ends[row] as usize, self.ends[row + 1] as usize);
        &self.bytes[start..end]
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    fn buffers(&self) -> Vec<Buffer<'_>> {
        vec![
            Buffer::None,
            Buffer::of(&self.ends),
            Buffer::of(&self.bytes),
        ]
    }
}

/// Texts of which many rows have the same: a place in a list of them for each row.
#[derive(Default)]
pub struct Shared {
    places: Vec<i32>,
    texts: Texts,
}

impl Shared {
    /// Adds a text for the rows to come, unless it is the last one's.
    pub fn begin(&mut self, text: &str) {
        let last = self.texts.len().checked_sub(1);
        if last.is_none_or(|last| self.texts.get(last) != text.as_bytes()) {
            self.texts.push(text);
        }
    }

    /// A row with the text that was begun.
    #[inline]
    pub fn push(&mut self) {
        self.places.push(self.texts.len() as i32 - 1);
    }
}

/// Trace ids; what is none of 16 bytes is NULL.
#[derive(Default)]
pub struct Ids {
    bytes: Vec<[u8; 16]>,
    /// A bit for each row that has one.
    valid: Vec<u8>,
    nulls: usize,
}

impl Ids {
    #[inline]
    pub fn push(&mut self, id: Option<[u8; 16]>) {
        let row = self.bytes.len();
        if row % 8 == 0 {
            self.valid.push(0);
        }
        if let Some(last) = self.valid.last_mut() {
            *last |= u8::from(id.is_some()) << (row % 8);
        }
        self.nulls += usize::from(id.is_none());
        self.bytes.push(id.unwrap_or_default());
    }

    fn get(&self, row: usize) -> Option<&[u8; 16]> {
        let is_valid = self.valid[row / 8] >> (row % 8) & 1 == 1;
        is_valid.then_some(&self.bytes[row])
    }
}

pub enum Column {
    Id(Ids),
    Text(Texts),
    Shared(Shared),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U64(Vec<u64>),
    I64(Vec<i64>),
}

/// One value of a row.
pub enum Cell<'a> {
    Id(Option<&'a [u8; 16]>),
    Text(&'a [u8]),
    Unsigned(u64),
    Signed(i64),
}

/// Rows of one table, which nothing changes any more.
pub struct Table {
    layout: &'static Layout,
    columns: Vec<Column>,
    len: usize,
}

/// A table's columns by name, and what each holds.
pub struct Layout {
    pub name: &'static str,
    pub fields: &'static [arrow::Field],
}

impl Table {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// The row's values in the table's order. Panics where there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Cell<'_>> {
        self.columns.iter().map(move |column| match column {
            Column::Id(ids) => Cell::Id(ids.get(row)),
            Column::Text(texts) => Cell::Text(texts.get(row)),
            Column::Shared(shared) => Cell::Text(shared.texts.get(shared.places[row] as usize)),
            Column::U8(numbers) => Cell::Unsigned(numbers[row].into()),
            Column::U16(numbers) => Cell::Unsigned(numbers[row].into()),
            Column::U64(numbers) => Cell::Unsigned(numbers[row]),
            Column::I64(numbers) => Cell::Signed(numbers[row]),
        })
    }
}

impl arrow::Columns for Table {
    fn rows(&self) -> usize {
        self.len
    }

    fn fields(&self) -> &'static [arrow::Field] {
        self.layout.fields
    }

    fn column(&self, at: usize) -> arrow::Column<'_> {
        let numbers = |buffer| arrow::Column {
            nulls: 0,
            buffers: vec![Buffer::None, buffer],
            dictionary: None,
        };
        match &self.columns[at] {
            Column::Id(ids) => arrow::Column {
                nulls: ids.nulls,
                buffers: vec![Buffer::of(&ids.valid), Buffer::of(&ids.bytes)],
                dictionary: None,
            },
            Column::Text(it) => arrow::Column {
                nulls: 0,
                buffers: it.buffers(),
                dictionary: None,
            },
            Column::Shared(shared) => arrow::Column {
                nulls: 0,
                buffers: vec![Buffer::None, Buffer::of(&shared.places)],
                dictionary: Some((shared.texts.len(), shared.texts.buffers())),
            },
            Column::U8(it) => numbers(Buffer::of(it)),
            Column::U16(it) => numbers(Buffer::of(it)),
            Column::U64(it) => numbers(Buffer::of(it)),
            Column::I64(it) => numbers(Buffer::of(it)),
        }
    }
}

/// Tables of one layout as an Arrow stream, a batch each.
pub fn stream(layout: &'static Layout, tables: Vec<Arc<Table>>) -> arrow::Stream {
    let tables = tables.into_iter().filter(|table| !table.is_empty());
    let tables = tables.map(|table| table as Arc<dyn arrow::Columns>);
    arrow::Stream::new(layout.fields, tables.collect())
}

/// A struct of columns, its layout, and how it becomes a table.
macro_rules! table {
    ($(#[$doc:meta])* $struct:ident $layout:ident $name:literal {
        $($field:ident: $kind:ident($type:ty) $column:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $struct { $(pub $field: $type,)* }

        pub static $layout: Layout = Layout {
            name: $name,
            fields: &[$(arrow::Field { name: $column, kind: arrow::Kind::$kind },)*],
        };

        impl $struct {
            /// The table; refused where a column's texts are too long.
            pub fn finish(self, len: usize) -> Result<Table> {
                let columns = vec![$(Column::$kind(self.$field),)*];
                for column in &columns {
                    match column {
                        Column::Text(texts) => texts.check()?,
                        Column::Shared(shared) => shared.texts.check()?,
                        _ => {}
                    }
                }
                Ok(Table { layout: &$layout, columns, len })
            }
        }
    };
}

table! {
    SpanColumns SPANS "spans" {
        trace_id: Id(Ids) c"trace_id",
        span_id: U64(Vec<u64>) c"span_id",
        parent_id: U64(Vec<u64>) c"parent_id",
        start_ns: I64(Vec<i64>) c"start_ns",
        duration_ns: I64(Vec<i64>) c"duration_ns",
        service: Shared(Shared) c"service",
        version: Shared(Shared) c"version",
        name: Text(Texts) c"name",
        kind: U8(Vec<u8>) c"kind",
        status: U8(Vec<u8>) c"status",
        status_message: Text(Texts) c"status_message",
        method: Text(Texts) c"method",
        route: Text(Texts) c"route",
        http_status: U16(Vec<u16>) c"http_status",
        peer: Text(Texts) c"peer",
        scope: Shared(Shared) c"scope",
        resource_id: U64(Vec<u64>) c"resource_id",
        attributes: Text(Texts) c"attributes",
        events: Text(Texts) c"events",
        links: Text(Texts) c"links",
    }
}

table! {
    ExceptionColumns EXCEPTIONS "exceptions" {
        time_ns: I64(Vec<i64>) c"time_ns",
        group_id: U64(Vec<u64>) c"group_id",
        service: Shared(Shared) c"service",
        kind: Text(Texts) c"type",
        message: Text(Texts) c"message",
        stacktrace: Text(Texts) c"stacktrace",
        trace_id: Id(Ids) c"trace_id",
        span_id: U64(Vec<u64>) c"span_id",
    }
}

table! {
    LogColumns LOGS "logs" {
        time_ns: I64(Vec<i64>) c"time_ns",
        severity: U8(Vec<u8>) c"severity",
        severity_text: Text(Texts) c"severity_text",
        service: Shared(Shared) c"service",
        scope: Shared(Shared) c"scope",
        body: Text(Texts) c"body",
        trace_id: Id(Ids) c"trace_id",
        span_id: U64(Vec<u64>) c"span_id",
        resource_id: U64(Vec<u64>) c"resource_id",
        attributes: Text(Texts) c"attributes",
    }
}

table! {
    ResourceColumns RESOURCES "resources" {
        resource_id: U64(Vec<u64>) c"resource_id",
        service: Text(Texts) c"service",
        attributes: Text(Texts) c"attributes",
    }
}

impl ResourceColumns {
    pub fn push(&mut self, id: u64, service: &str, attributes: &str) {
        self.resource_id.push(id);
        self.service.push(service);
        self.attributes.push(attributes);
    }
}

/// What a request becomes, and how many of its items were refused.
pub struct Decoded {
    pub tables: Vec<Table>,
    pub refused: usize,
}
