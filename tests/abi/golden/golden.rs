// SPDX-License-Identifier: Apache-2.0
// The data set of golden.c in Rust, with the layouts of release 0.1 written down here: they may never change. Without Rust's
// standard library, so that the file stays small.
#![no_std]
use core::ffi::{c_char, c_void};

extern "C" {
    fn calloc(n: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { unsafe { abort() } }

#[repr(C)]
#[derive(Clone, Copy)]
struct Str { data: *const u8, size: usize }
#[repr(C)]
#[derive(Clone, Copy)]
struct Value { kind: i32, flags: i32, integer: i64, number: f64, text: Str, items: *const Value, keys: *const Str, n_items: usize }
#[repr(C)]
struct Part { kind: i32, flags: i32, mime: Str, uri: Str, data: Str }
#[repr(C)]
struct Turn { role: Str, parts: *const Part, n_parts: usize, weight: f64 }
#[repr(C)]
#[derive(Clone, Copy)]
struct View { turns: *const Turn, n_turns: usize, rating: f64, feedback: Str }
#[repr(C)]
struct Sample { size: u32, reserved: u32, id: Str, views: *const View, n_views: usize, n_prompt: usize, labels: *const Value }
#[repr(C)]
struct SampleSink { size: u32, reserved: u32, context: *mut c_void, emit: extern "C" fn(*mut c_void, *const Sample) -> i32 }
#[repr(C)]
struct Log { size: u32, reserved: u32, context: *mut c_void, write: extern "C" fn(*const Log, i32, Str) }
#[repr(C)]
struct Host {
    size: u32, abi_major: u16, abi_minor: u16, context: *mut c_void,
    service: extern "C" fn(*const Host, *const c_char) -> *const c_void,
    fail: extern "C" fn(*const Host, i32, Str) -> i32,
}
#[repr(C)]
struct Dataset {
    size: u32, flags: u32, this: *mut c_void,
    destroy: extern "C" fn(*mut c_void),
    map: extern "C" fn(*mut c_void, *const Value, *const SampleSink) -> i32,
    host: *const Host,
}
#[repr(C)]
struct Factory {
    size: u32, reserved: u32, kind: *const c_char, name: *const c_char,
    create: extern "C" fn(*const Host, *const Value, *mut *mut c_void) -> i32,
}
#[repr(C)]
pub struct Entry {
    size: u32, abi_major: u16, abi_minor: u16, id: *const c_char, fingerprint: *const c_char,
    init: Option<extern "C" fn(*const Host) -> i32>, deinit: Option<extern "C" fn()>,
    factories: *const *const Factory,
}
unsafe impl Sync for Factory {}
unsafe impl Sync for Entry {}
struct List([*const Factory; 2]);
unsafe impl Sync for List {}

const TEXT: i32 = 1;
const IMAGE: i32 = 2;

fn string(text: &'static str) -> Str { Str { data: text.as_ptr(), size: text.len() } }
const NONE: Str = Str { data: core::ptr::null(), size: 0 };

extern "C" fn destroy(this: *mut c_void) { unsafe { free(this) } }

extern "C" fn map(this: *mut c_void, record: *const Value, sink: *const SampleSink) -> i32 {
    unsafe {
        let host = &*(*(this as *const Dataset)).host;
        let record = &*record;
        let found = (0..record.n_items).find(|&i| {
            let key = &*record.keys.add(i);
            core::slice::from_raw_parts(key.data, key.size) == b"question"
        });
        let question = match found {
            Some(i) => (*record.items.add(i)).text,
            None => return (host.fail)(host, 1, string("expected the field question")),
        };
        let text = |kind, mime, uri, data| Part { kind, flags: 0, mime, uri, data };
        let parts = [text(TEXT, NONE, NONE, question), text(IMAGE, string("image/png"), string("a.png"), NONE)];
        let turns = [
            Turn { role: string("user"), parts: parts.as_ptr(), n_parts: 2, weight: 1.0 },
            Turn { role: string("assistant"), parts: parts.as_ptr(), n_parts: 1, weight: 0.5 },
        ];
        let view = View { turns: turns.as_ptr(), n_turns: 2, rating: f64::NAN, feedback: string("good") };
        let views = [view, View { rating: 2.0, ..view }];
        let nothing = Value { kind: 0, flags: 0, integer: 0, number: 0.0, text: NONE, items: core::ptr::null(), keys: core::ptr::null(), n_items: 0 };
        let label = Value { kind: 2, integer: 42, number: 42.0, ..nothing };
        let key = string("answer");
        let labels = Value { kind: 7, items: &label, keys: &key, n_items: 1, ..nothing };
        let sample = Sample { size: 56, reserved: 0, id: string("one"), views: views.as_ptr(), n_views: 2, n_prompt: 1, labels: &labels };
        ((*sink).emit)((*sink).context, &sample)
    }
}

extern "C" fn create(host: *const Host, _options: *const Value, out: *mut *mut c_void) -> i32 {
    unsafe {
        let log = ((*host).service)(host, c"attune.log/1".as_ptr()) as *const Log;
        if !log.is_null() { ((*log).write)(log, 1, string("created")) }
        let made = calloc(1, size_of::<Dataset>()) as *mut Dataset;
        if made.is_null() { return 5 }
        made.write(Dataset { size: 32, flags: 0, this: made as *mut c_void, destroy, map, host });
        *out = made as *mut c_void;
    }
    0
}

static FACTORY: Factory = Factory { size: 32, reserved: 0, kind: c"dataset/1".as_ptr(), name: c"golden_rust".as_ptr(), create };
static FACTORIES: List = List([&FACTORY, core::ptr::null()]);
static ENTRY: Entry = Entry {
    size: 48, abi_major: 0, abi_minor: 1, id: c"org.attune.test.golden_rust".as_ptr(), fingerprint: c"".as_ptr(),
    init: None, deinit: None, factories: FACTORIES.0.as_ptr(),
};

#[no_mangle]
pub extern "C" fn attune_plugin_v1() -> *const Entry { &ENTRY }
