// SPDX-License-Identifier: Apache-2.0
//! The kind `reader/1` over the Arrow project's Parquet library. Every function of the table catches panics: none may cross
//! into C.

mod abi;
mod batches;
mod file;
mod times;
mod values;

use std::ffi::c_void;

use abi::*;
use batches::Batches;
use values::{Arena, Shape};

struct Instance {
    table: Reader,
    host: *const Host,
    path: String,
    batches: Batches,
    shape: Shape,
}

/// # Safety
/// As the header says of `attune_factory.create`.
#[no_mangle]
pub unsafe extern "C" fn attune_parquet_create(
    host: *const Host,
    options: *const Value,
    out: *mut *mut c_void,
) -> i32 {
    catch_messages();
    let path = match path_option(&*options) {
        Ok(path) => path,
        Err(failure) => return guarded(host, "", || Err(failure)),
    };
    guarded(host, path, || {
        let batches = Batches::open(path, &columns_option(&*options)?)?;
        let shape = Shape::of_record(path, &batches.fields()?)?;
        let size = size_of::<Reader>() as u32;
        let table = Reader { size, flags: 0, this: std::ptr::null_mut(), destroy, count, read };
        let path = path.to_owned();
        let instance = Box::into_raw(Box::new(Instance { table, host, path, batches, shape }));
        (*instance).table.this = instance.cast();
        *out = (&raw mut (*instance).table).cast();
        Ok(OK)
    })
}

unsafe fn option<'a>(options: &'a Value, name: &str) -> Option<&'a Value> {
    let keys = slice(options.keys, if options.kind == MAP { options.n_items } else { 0 });
    let items = slice(options.items, keys.len());
    keys.iter()
        .zip(items)
        .find(|(key, _)| slice(key.data, key.size) == name.as_bytes())
        .map(|(_, value)| value)
}

unsafe fn path_option(options: &Value) -> Result<&str, Failure> {
    match option(options, "path") {
        Some(value) if value.kind == STRING => text(value.text, "option `path`"),
        _ => failure(E_INVALID, "option `path`: expected a Parquet file, found nothing"),
    }
}

unsafe fn columns_option(options: &Value) -> Result<Vec<String>, Failure> {
    let Some(list) = option(options, "columns") else {
        return Ok(Vec::new());
    };
    let items = if list.kind == LIST { slice(list.items, list.n_items) } else { &[] };
    if list.kind != LIST || items.iter().any(|item| item.kind != STRING) {
        return failure(E_INVALID, "option `columns`: expected a list of names");
    }
    items.iter().map(|item| Ok(text(item.text, "option `columns`")?.to_owned())).collect()
}

unsafe fn instance<'a>(this: *mut c_void) -> &'a Instance {
    &*this.cast::<Instance>()
}

unsafe extern "C" fn destroy(this: *mut c_void) {
    let host = instance(this).host;
    guarded(host, "", || {
        drop(Box::from_raw(this.cast::<Instance>()));
        Ok(OK)
    });
}

unsafe extern "C" fn count(this: *mut c_void, records: *mut i64) -> i32 {
    *records = instance(this).batches.rows() as i64;
    OK
}

unsafe extern "C" fn read(this: *mut c_void, first: i64, n: i64, sink: *const ValueSink) -> i32 {
    let this = instance(this);
    guarded(this.host, &this.path, || {
        let Ok(mut row) = u64::try_from(first) else {
            return failure(E_INVALID, format!("{}: no record {first}", this.path));
        };
        let end = row.saturating_add(n.max(0) as u64).min(this.batches.rows());
        let mut arena = Arena::default();
        while row < end {
            let (batch, at) = this.batches.at(row)?;
            for at in at..batch.num_rows().min(at + (end - row) as usize) {
                row += 1;
                let record = values::record(&batch, at, &this.shape, &mut arena)
                    .map_err(|failure| in_row(&this.path, row, failure))?;
                let code = ((*sink).emit)((*sink).context, &record);
                if code != OK {
                    return Ok(code);
                }
                arena.clear();
            }
        }
        Ok(OK)
    })
}

fn in_row(path: &str, row: u64, failure: Failure) -> Failure {
    Failure { why: format!("{path}: row {row}: {}", failure.why), ..failure }
}
