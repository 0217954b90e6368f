// SPDX-License-Identifier: Apache-2.0
//! The part of `attune/abi.h` that a tokenizer needs. `huggingface.c` asserts the same sizes on the C side.

use std::ffi::{c_char, c_void};

pub const OK: i32 = 0;
pub const E_INVALID: i32 = 1;
pub const E_UNSUPPORTED: i32 = 2;
pub const E_NOT_FOUND: i32 = 3;
pub const E_IO: i32 = 4;
pub const E_INTERNAL: i32 = 7;

pub const VALUE_STRING: i32 = 4;
pub const VALUE_MAP: i32 = 7;
pub const PART_TEXT: i32 = 1;
pub const PART_IMAGE: i32 = 2;
pub const PART_AUDIO: i32 = 3;
pub const PART_VIDEO: i32 = 4;
pub const ENCODE_ADD_SPECIAL: u32 = 1;
pub const DECODE_SKIP_SPECIAL: u32 = 1;
pub const RENDER_GENERATION_PROMPT: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub data: *const u8,
    pub size: usize,
}

impl Str {
    pub fn of(text: &str) -> Self {
        Self { data: text.as_ptr(), size: text.len() }
    }
}

#[repr(C)]
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

#[repr(C)]
pub struct Part {
    pub kind: i32,
    pub flags: i32,
    pub mime: Str,
    pub uri: Str,
    pub data: Str,
}

#[repr(C)]
pub struct Turn {
    pub role: Str,
    pub parts: *const Part,
    pub n_parts: usize,
    pub weight: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub begin: usize,
    pub end: usize,
    pub turn: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TokenOffset {
    pub begin: usize,
    pub end: usize,
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
pub struct TextSink {
    pub size: u32,
    pub reserved: u32,
    pub context: *mut c_void,
    pub emit: unsafe extern "C" fn(*mut c_void, Str) -> i32,
}

#[repr(C)]
pub struct Encoding {
    pub size: u32,
    pub reserved: u32,
    pub ids: *const i64,
    pub offsets: *const TokenOffset,
    pub n_ids: usize,
}

#[repr(C)]
pub struct EncodingSink {
    pub size: u32,
    pub reserved: u32,
    pub context: *mut c_void,
    pub emit: unsafe extern "C" fn(*mut c_void, *const Encoding) -> i32,
}

#[repr(C)]
pub struct Rendering {
    pub size: u32,
    pub reserved: u32,
    pub text: Str,
    pub spans: *const Span,
    pub n_spans: usize,
}

#[repr(C)]
pub struct RenderingSink {
    pub size: u32,
    pub reserved: u32,
    pub context: *mut c_void,
    pub emit: unsafe extern "C" fn(*mut c_void, *const Rendering) -> i32,
}

#[repr(C)]
pub struct Tokenizer {
    pub size: u32,
    pub flags: u32,
    pub this: *mut c_void,
    pub destroy: unsafe extern "C" fn(*mut c_void),
    pub vocabulary: unsafe extern "C" fn(*mut c_void, *mut i64) -> i32,
    pub token: unsafe extern "C" fn(*mut c_void, Str, *mut i64) -> i32,
    pub encode: unsafe extern "C" fn(*mut c_void, Str, u32, *const EncodingSink) -> i32,
    pub decode: unsafe extern "C" fn(*mut c_void, *const i64, usize, u32, *const TextSink) -> i32,
    pub decode_next:
        unsafe extern "C" fn(*mut c_void, *const i64, usize, u32, *const TextSink) -> i32,
    pub render:
        unsafe extern "C" fn(*mut c_void, *const Turn, usize, u32, *const RenderingSink) -> i32,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Value>() == 64);
    assert!(size_of::<Part>() == 56);
    assert!(size_of::<Turn>() == 40);
    assert!(size_of::<Span>() == 24);
    assert!(size_of::<TokenOffset>() == 16);
    assert!(size_of::<Host>() == 32);
    assert!(size_of::<Encoding>() == 32);
    assert!(size_of::<Rendering>() == 40);
    assert!(size_of::<TextSink>() == 24);
    assert!(size_of::<Tokenizer>() == 72);
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
    std::str::from_utf8(slice(text.data, text.size)).map_err(|error| Failure {
        code: E_INVALID,
        why: format!(
            "{what}: expected UTF-8, found byte {} at offset {} that is not",
            slice(text.data, text.size)[error.valid_up_to()],
            error.valid_up_to()
        ),
    })
}
