//! The Arrow C data interface: columns that DuckDB reads where they lie.
//!
//! Specification: Arrow C data interface, C stream interface. What is given out keeps its
//! table alive until it is released, on whatever thread that is; releasing touches no
//! Python object.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 16 bytes, NULL where there is none: a UUID to DuckDB.
    Id,
    Text,
    /// Places in a dictionary of texts.
    Shared,
    U8,
    U16,
    U64,
    I64,
}

/// A column's name and type.
pub struct Field {
    pub name: &'static CStr,
    pub kind: Kind,
}

/// A column's memory, in the order of Arrow's layout.
pub struct Column<'a> {
    pub nulls: usize,
    pub buffers: Vec<Buffer<'a>>,
    /// Of `Shared`: the number of texts, and their memory.
    pub dictionary: Option<(usize, Vec<Buffer<'a>>)>,
}

/// Memory that lives as long as what it is borrowed from.
pub enum Buffer<'a> {
    /// There is none: no value is NULL.
    None,
    Some(*const c_void, std::marker::PhantomData<&'a ()>),
}

impl<'a> Buffer<'a> {
    pub fn of<T: Copy>(values: &'a [T]) -> Self {
        Buffer::Some(values.as_ptr().cast(), std::marker::PhantomData)
    }

    fn pointer(&self) -> *const c_void {
        match self {
            Buffer::None => null(),
            Buffer::Some(pointer, _) => *pointer,
        }
    }
}

/// Rows that nothing changes any more: what is borrowed stays where it is.
pub trait Columns: Send + Sync + 'static {
    fn rows(&self) -> usize;
    fn fields(&self) -> &'static [Field];
    /// A column's memory, for all rows of what its field says.
    fn column(&self, at: usize) -> Column<'_>;
}

#[repr(C)]
struct Schema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut Schema,
    dictionary: *mut Schema,
    release: Option<unsafe extern "C" fn(*mut Schema)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct Array {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Array,
    dictionary: *mut Array,
    release: Option<unsafe extern "C" fn(*mut Array)>,
    private_data: *mut c_void,
}

/// `ArrowArrayStream`: each table is one batch of it.
#[repr(C)]
pub struct Stream {
    get_schema: Option<unsafe extern "C" fn(*mut Stream, *mut Schema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut Stream, *mut Array) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut Stream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut Stream)>,
    private_data: *mut c_void,
}

// SAFETY: the private data is a `Tables`, which is Send, and belongs to the stream alone.
unsafe impl Send for Stream {}

struct Tables {
    fields: &'static [Field],
    left: std::vec::IntoIter<Arc<dyn Columns>>,
}

impl Stream {
    /// A stream of tables that all have these fields.
    pub fn new(fields: &'static [Field], tables: Vec<Arc<dyn Columns>>) -> Self {
        let left = tables.into_iter();
        Stream {
            get_schema: Some(get_schema),
            get_next: Some(get_next),
            get_last_error: Some(get_last_error),
            release: Some(release_stream),
            private_data: Box::into_raw(Box::new(Tables { fields, left })).cast(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A consumer that has taken the stream over has set this to None.
        if let Some(release) = self.release {
            // SAFETY: the stream is whole, and this is the only release of it.
            unsafe { release(self) };
        }
    }
}

/// errno's EIO.
const FAILED: c_int = 5;

unsafe extern "C" fn get_schema(stream: *mut Stream, out: *mut Schema) -> c_int {
    // SAFETY: by the interface, `stream` is one that `new` made and nobody has released,
    // and `out` is memory for a schema, which nothing is in yet.
    unsafe {
        let tables = &*(*stream).private_data.cast::<Tables>();
        let fields = tables.fields;
        match catch_unwind(AssertUnwindSafe(|| schema_of(fields))) {
            Ok(schema) => out.write(schema),
            Err(_) => return FAILED,
        }
    }
    0
}

unsafe extern "C" fn get_next(stream: *mut Stream, out: *mut Array) -> c_int {
    // SAFETY: as in `get_schema`; one thread at a time asks a stream.
    unsafe {
        let tables = &mut *(*stream).private_data.cast::<Tables>();
        let next = AssertUnwindSafe(|| match tables.left.next() {
            Some(table) => array_of(table),
            None => ended(),
        });
        match catch_unwind(next) {
            Ok(array) => out.write(array),
            Err(_) => return FAILED,
        }
    }
    0
}

unsafe extern "C" fn get_last_error(_: *mut Stream) -> *const c_char {
    c"the rows could not be handed over".as_ptr()
}

unsafe extern "C" fn release_stream(stream: *mut Stream) {
    // SAFETY: by the interface it is called once, with a stream that `new` made.
    unsafe {
        (*stream).release = None;
        drop(Box::from_raw((*stream).private_data.cast::<Tables>()));
    }
}

/// A released array: the end of a stream.
fn ended() -> Array {
    Array {
        length: 0,
        null_count: 0,
        offset: 0,
        n_buffers: 0,
        n_children: 0,
        buffers: null_mut(),
        children: null_mut(),
        dictionary: null_mut(),
        release: None,
        private_data: null_mut(),
    }
}

/// One pair: its count and lengths are native integers, as the interface has it.
fn uuid_metadata() -> Vec<u8> {
    let (key, value) = (b"ARROW:extension:name", b"arrow.uuid");
    let len = |n: usize| (n as i32).to_ne_bytes();
    let mut out = Vec::new();
    out.extend_from_slice(&len(1));
    out.extend_from_slice(&len(key.len()));
    out.extend_from_slice(key);
    out.extend_from_slice(&len(value.len()));
    out.extend_from_slice(value);
    out
}

/// What a schema owns: its children stand in boxes of their own, as raw pointers.
struct HeldSchema {
    metadata: Vec<u8>,
    children: Vec<*mut Schema>,
    dictionary: *mut Schema,
}

const NULLABLE: i64 = 2;

fn schema_of(fields: &'static [Field]) -> Schema {
    let children = fields.iter().map(|field| {
        let (format, metadata) = match field.kind {
            Kind::Id => (c"w:16", uuid_metadata()),
            Kind::Text => (c"u", Vec::new()),
            Kind::Shared => (c"i", Vec::new()),
            Kind::U8 => (c"C", Vec::new()),
            Kind::U16 => (c"S", Vec::new()),
            Kind::U64 => (c"L", Vec::new()),
            Kind::I64 => (c"l", Vec::new()),
        };
        let dictionary =
            (field.kind == Kind::Shared).then(|| schema(c"u", c"", Vec::new(), Vec::new(), None));
        let nullable = if field.kind == Kind::Id { NULLABLE } else { 0 };
        let mut made = schema(format, field.name, metadata, Vec::new(), dictionary);
        made.flags = nullable;
        made
    });
    let children = children.collect();
    schema(c"+s", c"", Vec::new(), children, None)
}

fn schema(
    format: &'static CStr,
    name: &'static CStr,
    metadata: Vec<u8>,
    children: Vec<Schema>,
    dictionary: Option<Schema>,
) -> Schema {
    let boxed = |schema| Box::into_raw(Box::new(schema));
    let mut held = Box::new(HeldSchema {
        metadata,
        children: children.into_iter().map(boxed).collect(),
        dictionary: dictionary.map_or(null_mut(), boxed),
    });
    Schema {
        format: format.as_ptr(),
        name: name.as_ptr(),
        metadata: match held.metadata.is_empty() {
            true => null(),
            false => held.metadata.as_ptr().cast(),
        },
        flags: 0,
        n_children: held.children.len() as i64,
        children: held.children.as_mut_ptr(),
        dictionary: held.dictionary,
        release: Some(release_schema),
        private_data: Box::into_raw(held).cast(),
    }
}

unsafe extern "C" fn release_schema(schema: *mut Schema) {
    // SAFETY: by the interface it is called once, with a schema that `schema` made. Its
    // children are boxes; one that was moved away has no release any more.
    unsafe {
        (*schema).release = None;
        let held = Box::from_raw((*schema).private_data.cast::<HeldSchema>());
        for child in held.children.iter().copied().chain([held.dictionary]) {
            if !child.is_null() {
                let mut child = Box::from_raw(child);
                if let Some(release) = child.release {
                    release(&mut *child);
                }
            }
        }
    }
}

/// What an array owns, as [`HeldSchema`]; the table is what its buffers lie in.
struct HeldArray {
    _table: Arc<dyn Columns>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut Array>,
    dictionary: *mut Array,
}

fn array_of(table: Arc<dyn Columns>) -> Array {
    let length = table.rows();
    let children = (0..table.fields().len()).map(|at| {
        let column = table.column(at);
        let dictionary = column
            .dictionary
            .map(|(length, buffers)| array(&table, length, 0, &buffers, Vec::new(), None));
        let nulls = column.nulls;
        array(
            &table,
            length,
            nulls,
            &column.buffers,
            Vec::new(),
            dictionary,
        )
    });
    let children = children.collect();
    array(&table, length, 0, &[Buffer::None], children, None)
}

fn array(
    table: &Arc<dyn Columns>,
    length: usize,
    nulls: usize,
    buffers: &[Buffer<'_>],
    children: Vec<Array>,
    dictionary: Option<Array>,
) -> Array {
    let boxed = |array| Box::into_raw(Box::new(array));
    let mut held = Box::new(HeldArray {
        _table: Arc::clone(table),
        buffers: buffers.iter().map(Buffer::pointer).collect(),
        children: children.into_iter().map(boxed).collect(),
        dictionary: dictionary.map_or(null_mut(), boxed),
    });
    Array {
        length: length as i64,
        null_count: nulls as i64,
        offset: 0,
        n_buffers: held.buffers.len() as i64,
        n_children: held.children.len() as i64,
        buffers: held.buffers.as_mut_ptr(),
        children: held.children.as_mut_ptr(),
        dictionary: held.dictionary,
        release: Some(release_array),
        private_data: Box::into_raw(held).cast(),
    }
}

unsafe extern "C" fn release_array(array: *mut Array) {
    // SAFETY: as in `release_schema`.
    unsafe {
        (*array).release = None;
        let held = Box::from_raw((*array).private_data.cast::<HeldArray>());
        for child in held.children.iter().copied().chain([held.dictionary]) {
            if !child.is_null() {
                let mut child = Box::from_raw(child);
                if let Some(release) = child.release {
                    release(&mut *child);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIELDS: [Field; 2] = [
        Field {
            name: c"n",
            kind: Kind::U64,
        },
        Field {
            name: c"s",
            kind: Kind::Shared,
        },
    ];

    struct Three([u64; 3], [i32; 3], [i32; 2], [u8; 1]);

    impl Columns for Three {
        fn rows(&self) -> usize {
            3
        }
        fn fields(&self) -> &'static [Field] {
            &FIELDS
        }
        fn column(&self, at: usize) -> Column<'_> {
            let texts = vec![Buffer::None, Buffer::of(&self.2), Buffer::of(&self.3)];
            Column {
                nulls: 0,
                buffers: match at {
                    0 => vec![Buffer::None, Buffer::of(&self.0)],
                    _ => vec![Buffer::None, Buffer::of(&self.1)],
                },
                dictionary: (at == 1).then_some((1, texts)),
            }
        }
    }

    /// A consumer reads what is there, also after the stream is gone, and releasing gives
    /// the table back.
    #[test]
    fn an_array_keeps_its_table() {
        let table: Arc<dyn Columns> = Arc::new(Three([1, 2, 3], [0; 3], [0, 1], [b'x']));
        let mut stream = Stream::new(&FIELDS, vec![Arc::clone(&table)]);
        // SAFETY: what a consumer of the interface does.
        unsafe {
            let mut array = ended();
            assert_eq!(get_next(&mut stream, &mut array), 0);
            drop(stream);
            assert_eq!((array.length, array.n_children), (3, 2));
            let numbers = *(**array.children).buffers.add(1);
            let numbers = std::slice::from_raw_parts(numbers.cast::<u64>(), 3);
            assert_eq!(numbers, [1, 2, 3]);
            let texts = (**array.children.add(1)).dictionary;
            assert_eq!((*texts).length, 1);
            assert_eq!(*(*(*texts).buffers.add(2)).cast::<u8>(), b'x');
            assert!(Arc::strong_count(&table) > 1);
            release_array(&mut array);
            assert!(array.release.is_none());
        }
        assert_eq!(Arc::strong_count(&table), 1);
    }

    /// The schema names the columns, and the stream ends after its tables.
    #[test]
    fn a_stream_has_a_schema_and_an_end() {
        let mut stream = Stream::new(&FIELDS, Vec::new());
        // SAFETY: what a consumer of the interface does.
        unsafe {
            let mut schema = schema(c"n", c"", Vec::new(), Vec::new(), None);
            release_schema(&mut schema);
            assert_eq!(get_schema(&mut stream, &mut schema), 0);
            let children = std::slice::from_raw_parts(schema.children, 2);
            assert_eq!(CStr::from_ptr((*children[0]).name), c"n");
            assert_eq!(CStr::from_ptr((*children[1]).format), c"i");
            assert!(!(*children[1]).dictionary.is_null());
            release_schema(&mut schema);
            let mut array = ended();
            assert_eq!(get_next(&mut stream, &mut array), 0);
            assert!(array.release.is_none());
        }
    }
}
