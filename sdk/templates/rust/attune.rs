// SPDX-License-Identifier: Apache-2.0
//! The part of `attune/abi.h` that datasets, evaluators and tokenizers need, and what makes a Rust type one of them.
//! `plugin!` ends a plugin: it exports the entry with one factory.
#![allow(dead_code)]

use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};

pub const E_INVALID: i32 = 1;
pub const E_UNSUPPORTED: i32 = 2;
pub const E_NOT_FOUND: i32 = 3;
pub const E_IO: i32 = 4;
pub const E_INTERNAL: i32 = 7;

/// What a call ends with instead of its result. Without words: the host's sink wants no more.
#[derive(Debug)]
pub struct Failure {
    pub code: i32,
    pub why: Option<String>,
}

pub type Result<T> = std::result::Result<T, Failure>;

pub fn fail<T>(code: i32, why: impl Into<String>) -> Result<T> {
    Err(Failure { code, why: Some(why.into()) })
}

// ---- leaves ---------------------------------------------------------------------------------------------------------

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    data: *const u8,
    size: usize,
}

impl Str {
    pub fn of(text: &str) -> Self {
        Self { data: text.as_ptr(), size: text.len() }
    }
    fn bytes(&self) -> &[u8] {
        slice(self.data, self.size)
    }
    /// Bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// A borrowed array of the host; null stands for an empty one.
fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if data.is_null() || size == 0 {
        return &[];
    }
    // The contract: `size` values that outlive the call.
    unsafe { std::slice::from_raw_parts(data, size) }
}

const NAMES: [&str; 8] = ["nothing", "a bool", "an integer", "a number", "a string", "bytes", "a list", "a map"];

/// A tree of plain data: a record, a set of options.
#[repr(C)]
pub struct Value {
    kind: i32,
    flags: i32,
    integer: i64,
    number: f64,
    text: Str,
    items: *const Value,
    keys: *const Str,
    n_items: usize,
}

const NOTHING: Value = Value {
    kind: 0, flags: 0, integer: 0, number: 0.0, text: Str { data: std::ptr::null(), size: 0 },
    items: std::ptr::null(), keys: std::ptr::null(), n_items: 0,
};

impl Value {
    pub fn get(&self, name: &str) -> Option<&Value> {
        let keys = slice(self.keys, if self.kind == 7 { self.n_items } else { 0 });
        keys.iter().position(|key| key.bytes() == name.as_bytes()).map(|i| &slice(self.items, self.n_items)[i])
    }
    pub fn text(&self, name: &str) -> Result<String> {
        match self.get(name) {
            Some(found) if found.kind == 4 => Ok(found.text.text()),
            found => wrong(name, "a string", found),
        }
    }
    pub fn integer(&self, name: &str) -> Result<i64> {
        match self.get(name) {
            Some(found) if found.kind == 2 => Ok(found.integer),
            found => wrong(name, "an integer", found),
        }
    }
}

fn wrong<T>(name: &str, expected: &str, found: Option<&Value>) -> Result<T> {
    let found = NAMES.get(found.map_or(0, |value| value.kind as usize)).unwrap_or(&"something else");
    fail(E_INVALID, format!("`{name}`: expected {expected}, found {found}"))
}

#[repr(C)]
pub struct Part {
    kind: i32,
    flags: i32,
    mime: Str,
    uri: Str,
    data: Str,
}

#[repr(C)]
pub struct Turn {
    pub role: Str,
    parts: *const Part,
    n_parts: usize,
    weight: f64,
}

impl Turn {
    /// The text of a turn that has nothing else.
    pub fn text(&self) -> Result<String> {
        let parts = slice(self.parts, self.n_parts);
        if parts.iter().any(|part| part.kind != 1) {
            return fail(E_UNSUPPORTED, "expected a turn of text alone, found another part");
        }
        Ok(parts.iter().map(|part| part.data.text()).collect())
    }
}

#[repr(C)]
pub struct View {
    turns: *const Turn,
    n_turns: usize,
    rating: f64,
    feedback: Str,
}

#[repr(C)]
pub struct RawSample {
    size: u32,
    reserved: u32,
    id: Str,
    views: *const View,
    n_views: usize,
    n_prompt: usize,
    labels: *const Value,
}

impl RawSample {
    /// The text of a label.
    pub fn label(&self, name: &str) -> Result<String> {
        if self.labels.is_null() {
            return wrong(name, "a string", None);
        }
        unsafe { &*self.labels }.text(name)
    }
}

// ---- host -----------------------------------------------------------------------------------------------------------

#[repr(C)]
pub struct Host {
    size: u32,
    abi_major: u16,
    abi_minor: u16,
    context: *mut c_void,
    service: Option<unsafe extern "C" fn(*const Host, *const c_char) -> *const c_void>,
    fail: unsafe extern "C" fn(*const Host, i32, Str) -> i32,
}

/// Any sink: `T` is what it takes.
#[repr(C)]
pub struct Sink<T> {
    size: u32,
    reserved: u32,
    context: *mut c_void,
    emit: unsafe extern "C" fn(*mut c_void, T) -> i32,
}

impl<T> Sink<T> {
    fn put(&self, item: T) -> Result<()> {
        match unsafe { (self.emit)(self.context, item) } {
            0 => Ok(()),
            code => Err(Failure { code, why: None }),
        }
    }
}

/// Runs `body`; its failure, or its panic, becomes a code and a message for the host.
fn guard(host: *const Host, body: impl FnOnce() -> Result<()>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(_) => Failure { code: E_INTERNAL, why: Some("the plugin panicked".into()) },
    };
    match failure.why {
        Some(why) => unsafe { ((*host).fail)(host, failure.code, Str::of(&why)) },
        None => failure.code,
    }
}

struct Instance<T, Table> {
    table: Table,
    host: *const Host,
    it: T,
}

unsafe extern "C" fn destroy<T, Table>(this: *mut c_void) {
    drop(Box::from_raw(this as *mut Instance<T, Table>));
}

fn create<T, Table>(host: *const Host, options: *const Value, out: *mut *mut c_void,
                    make: fn(&Value) -> Result<T>, fill: fn(*mut c_void) -> Table) -> i32 {
    guard(host, || {
        let made = Box::into_raw(Box::new(Instance { table: fill(std::ptr::null_mut()), host, it: make(unsafe { &*options })? }));
        unsafe {
            (*made).table = fill(made as *mut c_void);
            *out = &mut (*made).table as *mut Table as *mut c_void;
        }
        Ok(())
    })
}

unsafe fn of<'a, T, Table>(this: *mut c_void) -> &'a Instance<T, Table> {
    &*(this as *const Instance<T, Table>)
}

// ---- dataset/1 ------------------------------------------------------------------------------------------------------

/// A conversation of text; the first `n_prompt` turns are never scored. An evaluator finds what it expects in the labels.
pub struct Sample {
    pub turns: Vec<(String, String)>,
    pub n_prompt: usize,
    pub labels: Vec<(&'static str, String)>,
}

pub trait Dataset: Sized {
    fn new(options: &Value) -> Result<Self>;
    /// Emits zero or more samples.
    fn map(&self, row: &Value, emit: &dyn Fn(&Sample) -> Result<()>) -> Result<()>;
}

#[repr(C)]
pub struct DatasetTable {
    size: u32,
    flags: u32,
    this: *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    map: unsafe extern "C" fn(*mut c_void, *const Value, *const Sink<*const RawSample>) -> i32,
}

pub unsafe extern "C" fn create_dataset<T: Dataset>(host: *const Host, options: *const Value, out: *mut *mut c_void) -> i32 {
    create(host, options, out, T::new, |this| DatasetTable { size: 32, flags: 0, this, destroy: destroy::<T, DatasetTable>, map: map::<T> })
}

unsafe extern "C" fn map<T: Dataset>(this: *mut c_void, row: *const Value, sink: *const Sink<*const RawSample>) -> i32 {
    let me = of::<T, DatasetTable>(this);
    guard(me.host, || me.it.map(&*row, &|sample| emit_sample(sample, &*sink)))
}

fn emit_sample(sample: &Sample, sink: &Sink<*const RawSample>) -> Result<()> {
    let none = Str::of("");
    let parts: Vec<Part> =
        sample.turns.iter().map(|(_, text)| Part { kind: 1, flags: 0, mime: none, uri: none, data: Str::of(text) }).collect();
    let turns: Vec<Turn> = sample.turns.iter().zip(&parts)
        .map(|((role, _), part)| Turn { role: Str::of(role), parts: part, n_parts: 1, weight: 1.0 }).collect();
    let view = View { turns: turns.as_ptr(), n_turns: turns.len(), rating: f64::NAN, feedback: none };
    let keys: Vec<Str> = sample.labels.iter().map(|(name, _)| Str::of(name)).collect();
    let texts: Vec<Value> = sample.labels.iter().map(|(_, text)| Value { kind: 4, text: Str::of(text), ..NOTHING }).collect();
    let labels = Value { kind: 7, items: texts.as_ptr(), keys: keys.as_ptr(), n_items: keys.len(), ..NOTHING };
    sink.put(&RawSample { size: 56, reserved: 0, id: none, views: &view, n_views: 1, n_prompt: sample.n_prompt, labels: &labels })
}

// ---- evaluator/1 ----------------------------------------------------------------------------------------------------

/// An evaluator of one generated answer.
pub trait Evaluator: Sized {
    fn new(options: &Value) -> Result<Self>;
    fn max_tokens(&self) -> i64;
    /// Metric by metric.
    fn score(&self, sample: &RawSample, answer: &str) -> Result<Vec<(&'static str, f64)>>;
}

#[repr(C)]
pub struct Request {
    size: u32,
    kind: i32,
    id: u64,
    turns: *const Turn,
    n_turns: usize,
    n_prompt: usize,
    max_tokens: i64,
    temperature: f64,
    top_k: i64,
    top_p: f64,
    seed: u64,
    stops: *const Str,
    n_stops: usize,
    raw: i32,
    reserved: i32,
}

#[repr(C)]
pub struct Answer {
    size: u32,
    stop: i32,
    id: u64,
    text: Str,
}

#[repr(C)]
pub struct EvaluatorTable {
    size: u32,
    flags: u32,
    this: *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    request: unsafe extern "C" fn(*mut c_void, *const RawSample, *const Sink<*const Request>) -> i32,
    score: unsafe extern "C" fn(*mut c_void, *const RawSample, *const *const Answer, usize, *const Sink<*const Value>) -> i32,
}

pub unsafe extern "C" fn create_evaluator<T: Evaluator>(host: *const Host, options: *const Value, out: *mut *mut c_void) -> i32 {
    create(host, options, out, T::new, |this| EvaluatorTable {
        size: 40, flags: 0, this, destroy: destroy::<T, EvaluatorTable>, request: request::<T>, score: score::<T> })
}

unsafe extern "C" fn request<T: Evaluator>(this: *mut c_void, sample: *const RawSample, sink: *const Sink<*const Request>) -> i32 {
    let me = of::<T, EvaluatorTable>(this);
    guard(me.host, || {
        let sample = &*sample;
        let view = match slice(sample.views, sample.n_views) {
            [view, ..] if sample.n_prompt > 0 => view,
            _ => return fail(E_INVALID, "expected a sample with a prompt, found none"),
        };
        (*sink).put(&Request { size: 104, kind: 1, id: 0, turns: view.turns, n_turns: sample.n_prompt, n_prompt: 0,
                               max_tokens: me.it.max_tokens(), temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0,
                               stops: std::ptr::null(), n_stops: 0, raw: 0, reserved: 0 })
    })
}

unsafe extern "C" fn score<T: Evaluator>(this: *mut c_void, sample: *const RawSample, answers: *const *const Answer, n: usize,
                                         sink: *const Sink<*const Value>) -> i32 {
    let me = of::<T, EvaluatorTable>(this);
    guard(me.host, || {
        if n != 1 {
            return fail(E_INVALID, format!("expected 1 answer, found {n}"));
        }
        let metrics = me.it.score(&*sample, &(**answers).text.text())?;
        let keys: Vec<Str> = metrics.iter().map(|(name, _)| Str::of(name)).collect();
        let items: Vec<Value> = metrics.iter().map(|&(_, number)| Value { kind: 3, number, ..NOTHING }).collect();
        (*sink).put(&Value { kind: 7, items: items.as_ptr(), keys: keys.as_ptr(), n_items: items.len(), ..NOTHING })
    })
}

// ---- tokenizer/1 ----------------------------------------------------------------------------------------------------

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TokenOffset {
    pub begin: usize,
    pub end: usize,
}

#[repr(C)]
pub struct Span {
    pub begin: usize,
    pub end: usize,
    pub turn: usize,
}

pub trait Tokenizer: Sized {
    fn new(options: &Value) -> Result<Self>;
    fn vocabulary(&self) -> i64;
    fn token(&self, name: &str) -> Option<i64>;
    fn encode(&self, text: &str, add_special: bool) -> Result<(Vec<i64>, Vec<TokenOffset>)>;
    /// The bytes of ids; characters may be cut at their end.
    fn bytes(&self, ids: &[i64], skip_special: bool) -> Result<Vec<u8>>;
    fn render(&self, turns: &[Turn], generation_prompt: bool) -> Result<(String, Vec<Span>)>;
}

#[repr(C)]
pub struct Encoding {
    size: u32,
    reserved: u32,
    ids: *const i64,
    offsets: *const TokenOffset,
    n_ids: usize,
}

#[repr(C)]
pub struct Rendering {
    size: u32,
    reserved: u32,
    text: Str,
    spans: *const Span,
    n_spans: usize,
}

#[repr(C)]
pub struct TokenizerTable {
    size: u32,
    flags: u32,
    this: *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    vocabulary: unsafe extern "C" fn(*mut c_void, *mut i64) -> i32,
    token: unsafe extern "C" fn(*mut c_void, Str, *mut i64) -> i32,
    encode: unsafe extern "C" fn(*mut c_void, Str, u32, *const Sink<*const Encoding>) -> i32,
    decode: unsafe extern "C" fn(*mut c_void, *const i64, usize, u32, *const Sink<Str>) -> i32,
    decode_next: unsafe extern "C" fn(*mut c_void, *const i64, usize, u32, *const Sink<Str>) -> i32,
    render: unsafe extern "C" fn(*mut c_void, *const Turn, usize, u32, *const Sink<*const Rendering>) -> i32,
}

pub unsafe extern "C" fn create_tokenizer<T: Tokenizer>(host: *const Host, options: *const Value, out: *mut *mut c_void) -> i32 {
    create(host, options, out, T::new, |this| TokenizerTable {
        size: 72, flags: 0, this, destroy: destroy::<T, TokenizerTable>, vocabulary: vocabulary::<T>, token: token::<T>,
        encode: encode::<T>, decode: decode::<T>, decode_next: decode_next::<T>, render: render::<T> })
}

unsafe extern "C" fn vocabulary<T: Tokenizer>(this: *mut c_void, size: *mut i64) -> i32 {
    let me = of::<T, TokenizerTable>(this);
    guard(me.host, || { *size = me.it.vocabulary(); Ok(()) })
}

unsafe extern "C" fn token<T: Tokenizer>(this: *mut c_void, name: Str, id: *mut i64) -> i32 {
    let me = of::<T, TokenizerTable>(this);
    guard(me.host, || { *id = me.it.token(&name.text()).unwrap_or(-1); Ok(()) })
}

unsafe extern "C" fn encode<T: Tokenizer>(this: *mut c_void, text: Str, flags: u32, sink: *const Sink<*const Encoding>) -> i32 {
    let me = of::<T, TokenizerTable>(this);
    guard(me.host, || {
        let Ok(text) = std::str::from_utf8(text.bytes()) else {
            return fail(E_INVALID, "expected a text in UTF-8, found other bytes");
        };
        let (ids, offsets) = me.it.encode(text, flags & 1 != 0)?;
        (*sink).put(&Encoding { size: 32, reserved: 0, ids: ids.as_ptr(), offsets: offsets.as_ptr(), n_ids: ids.len() })
    })
}

unsafe extern "C" fn decode<T: Tokenizer>(this: *mut c_void, ids: *const i64, n: usize, flags: u32, sink: *const Sink<Str>) -> i32 {
    let me = of::<T, TokenizerTable>(this);
    guard(me.host, || {
        let bytes = me.it.bytes(slice(ids, n), flags & 1 != 0)?;
        (*sink).put(Str::of(&String::from_utf8_lossy(&bytes)))
    })
}

/// The text of bytes whose last character may be incomplete; that one is left out.
fn whole(bytes: &[u8]) -> String {
    let cut = (1..=bytes.len().min(3)).find(|&n| {
        std::str::from_utf8(&bytes[bytes.len() - n..]).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    });
    String::from_utf8_lossy(&bytes[..bytes.len() - cut.unwrap_or(0)]).into_owned()
}

unsafe extern "C" fn decode_next<T: Tokenizer>(this: *mut c_void, ids: *const i64, n: usize, flags: u32, sink: *const Sink<Str>) -> i32 {
    let me = of::<T, TokenizerTable>(this);
    guard(me.host, || {
        let ids = slice(ids, n);
        let before = whole(&me.it.bytes(&ids[..n.saturating_sub(1)], flags & 1 != 0)?);
        let now = whole(&me.it.bytes(ids, flags & 1 != 0)?);
        (*sink).put(Str::of(&now[before.len()..]))
    })
}

unsafe extern "C" fn render<T: Tokenizer>(this: *mut c_void, turns: *const Turn, n: usize, flags: u32, sink: *const Sink<*const Rendering>) -> i32 {
    let me = of::<T, TokenizerTable>(this);
    guard(me.host, || {
        let (text, spans) = me.it.render(slice(turns, n), flags & 1 != 0)?;
        (*sink).put(&Rendering { size: 40, reserved: 0, text: Str::of(&text), spans: spans.as_ptr(), n_spans: spans.len() })
    })
}

// ---- envelope -------------------------------------------------------------------------------------------------------

#[repr(C)]
pub struct Factory {
    pub size: u32,
    pub reserved: u32,
    pub kind: *const c_char,
    pub name: *const c_char,
    pub create: unsafe extern "C" fn(*const Host, *const Value, *mut *mut c_void) -> i32,
}

#[repr(C)]
pub struct Entry {
    pub size: u32,
    pub abi: [u16; 2],
    pub id: *const c_char,
    pub fingerprint: *const c_char,
    pub init: Option<unsafe extern "C" fn(*const Host) -> i32>,
    pub deinit: Option<unsafe extern "C" fn()>,
    pub factories: *const [*const Factory; 2],
}

/// A constant that pointers do not keep from being shared: nothing in it changes.
pub struct Constant<T>(pub T);
unsafe impl<T> Sync for Constant<T> {}

pub const fn digits(text: &str) -> u16 {
    let (bytes, mut made, mut i) = (text.as_bytes(), 0, 0);
    while i < bytes.len() {
        made = made * 10 + (bytes[i] - b'0') as u16;
        i += 1;
    }
    made
}

/// plugin!("dataset/1", "name", create_dataset::<Type>);
#[macro_export]
macro_rules! plugin {
    ($kind:literal, $name:literal, $create:expr) => {
        static FACTORY: $crate::attune::Constant<$crate::attune::Factory> = $crate::attune::Constant($crate::attune::Factory {
            size: 32, reserved: 0, kind: concat!($kind, "\0").as_ptr().cast(), name: concat!($name, "\0").as_ptr().cast(), create: $create });
        static FACTORIES: $crate::attune::Constant<[*const $crate::attune::Factory; 2]> =
            $crate::attune::Constant([&FACTORY.0, std::ptr::null()]);
        static ENTRY: $crate::attune::Constant<$crate::attune::Entry> = $crate::attune::Constant($crate::attune::Entry {
            size: 48,
            abi: [$crate::attune::digits(env!("ATTUNE_ABI_MAJOR")), $crate::attune::digits(env!("ATTUNE_ABI_MINOR"))],
            id: concat!(env!("ATTUNE_PLUGIN_ID"), "\0").as_ptr().cast(), fingerprint: "\0".as_ptr().cast(),
            init: None, deinit: None, factories: &FACTORIES.0 });

        #[no_mangle]
        pub extern "C" fn attune_plugin_v1() -> *const $crate::attune::Entry {
            &ENTRY.0
        }
    };
}
