// SPDX-License-Identifier: Apache-2.0
//! The part of `attune/abi.h` that a reader needs. `parquet.c` asserts the same sizes on the C side.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

pub const OK: i32 = 0;
pub const E_INVALID: i32 = 1;
pub const E_UNSUPPORTED: i32 = 2;
pub const E_NOT_FOUND: i32 = 3;
pub const E_IO: i32 = 4;

pub const BOOL: i32 = 1;
pub const INT: i32 = 2;
pub const FLOAT: i32 = 3;
pub const STRING: i32 = 4;
pub const BYTES: i32 = 5;
pub const LIST: i32 = 6;
pub const MAP: i32 = 7;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub data: *const u8,
    pub size: usize,
}

impl Str {
    pub fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    pub kind: i32,
    pub flags: i32,
    pub integer: i64,
    pub number: f64,
    pub text: Str,
    pub items: *const Value,
    pub keys: *const Str,
    pub n_items: usize,
}

impl Value {
    pub const NULL: Self = Self {
        kind: 0,
        flags: 0,
        integer: 0,
        number: 0.0,
        text: Str { data: std::ptr::null(), size: 0 },
        items: std::ptr::null(),
        keys: std::ptr::null(),
        n_items: 0,
    };
    pub fn boolean(value: bool) -> Self {
        Self {
            kind: BOOL,
            integer: i64::from(value),
            number: f64::from(u8::from(value)),
            ..Self::NULL
        }
    }
    pub fn integer(value: i64) -> Self {
        Self { kind: INT, integer: value, number: value as f64, ..Self::NULL }
    }
    pub fn number(value: f64) -> Self {
        Self { kind: FLOAT, number: value, ..Self::NULL }
    }
    pub fn text(value: &str) -> Self {
        Self { kind: STRING, text: Str::of(value.as_bytes()), ..Self::NULL }
    }
    pub fn bytes(value: &[u8]) -> Self {
        Self { kind: BYTES, text: Str::of(value), ..Self::NULL }
    }
    pub fn list(items: &[Value]) -> Self {
        Self { kind: LIST, items: items.as_ptr(), n_items: items.len(), ..Self::NULL }
    }
    pub fn map(keys: &[Str], items: &[Value]) -> Self {
        let (keys, n_items) = (keys.as_ptr(), items.len());
        Self { kind: MAP, items: items.as_ptr(), keys, n_items, ..Self::NULL }
    }
}

#[repr(C)]
pub struct Host {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub context: *mut c_void,
    pub service: Option<unsafe extern "C" fn(*const Host, *const c_char) -> *const c_void>,
    pub fail: unsafe extern "C" fn(*const Host, i32, Str) -> i32,
}

#[repr(C)]
pub struct ValueSink {
    pub size: u32,
    pub reserved: u32,
    pub context: *mut c_void,
    pub emit: unsafe extern "C" fn(*mut c_void, *const Value) -> i32,
}

#[repr(C)]
pub struct Reader {
    pub size: u32,
    pub flags: u32,
    pub this: *mut c_void,
    pub destroy: unsafe extern "C" fn(*mut c_void),
    pub count: unsafe extern "C" fn(*mut c_void, *mut i64) -> i32,
    pub read: unsafe extern "C" fn(*mut c_void, i64, i64, *const ValueSink) -> i32,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Value>() == 64);
    assert!(size_of::<Host>() == 32);
    assert!(size_of::<ValueSink>() == 24);
    assert!(size_of::<Reader>() == 40);
};

/// What a call ends with instead of its result.
#[derive(Debug)]
pub struct Failure {
    pub code: i32,
    pub why: String,
}

pub fn failure<T>(code: i32, why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { code, why: why.into() })
}

/// A borrowed array of the C side; null stands for an empty one.
///
/// # Safety
/// `data` is null or points to `size` values that outlive the result.
pub unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if data.is_null() || size == 0 {
        return &[];
    }
    std::slice::from_raw_parts(data, size)
}

/// Borrowed UTF-8 of the C side; `what` names it in the refusal of other bytes.
///
/// # Safety
/// As for `slice`.
pub unsafe fn text<'a>(text: Str, what: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(slice(text.data, text.size))
        .or_else(|_| failure(E_INVALID, format!("{what}: expected UTF-8")))
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says for the host's error instead of writing it to the process's error stream.
pub fn catch_messages() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let payload = info.payload();
            let said = payload.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| payload.downcast_ref::<&str>().copied());
            PANIC.with(|slot| *slot.borrow_mut() = said.unwrap_or("no message").to_owned());
        }));
    });
}

/// Runs one call for C: its code, or the failure told to the host. The Parquet library panics where a damaged file breaks what
/// it takes for granted, so a panic is the file's fault.
pub fn guarded(host: *const Host, path: &str, call: impl FnOnce() -> Result<i32, Failure>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(code)) => return code,
        Ok(Err(failure)) => failure,
        Err(_) => {
            let said = PANIC.with(|slot| slot.take());
            Failure { code: E_INVALID, why: format!("{path}: damaged Parquet data: {said}") }
        }
    };
    // SAFETY: the host outlives the instance, and `fail` copies the text.
    unsafe { ((*host).fail)(host, failure.code, Str::of(failure.why.as_bytes())) }
}
