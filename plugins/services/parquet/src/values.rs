// SPDX-License-Identifier: Apache-2.0
//! Cells of Arrow arrays as the plain data of the contract. Strings and bytes point into the arrays; what has no place there
//! is kept by an arena.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, Fields, IntervalUnit, TimeUnit};

use crate::abi::{failure, Failure, Str, Value, E_UNSUPPORTED};
use crate::times;

const DEEPEST: usize = 256;

/// The names inside a type, laid out as the contract wants them: of a struct its fields', else none. `inner` follows Arrow's
/// children.
#[derive(Default)]
pub struct Shape {
    _names: Vec<String>,
    keys: Vec<Str>,
    inner: Vec<Shape>,
}

// SAFETY: `keys` points into `_names`, which never changes.
unsafe impl Send for Shape {}
unsafe impl Sync for Shape {}

impl Shape {
    pub fn of_record(path: &str, fields: &Fields) -> Result<Self, Failure> {
        Self::of_fields(path, fields, 0)
    }

    fn of_fields(path: &str, fields: &Fields, depth: usize) -> Result<Self, Failure> {
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let keys = names.iter().map(|name| Str::of(name.as_bytes())).collect();
        let inner = fields.iter().map(|field| {
            let path = format!("{path}: column `{}`", field.name());
            Self::of_type(if depth == 0 { &path } else { "" }, field.data_type(), depth + 1)
        });
        Ok(Self { inner: inner.collect::<Result<_, _>>()?, _names: names, keys })
    }

    fn of_type(path: &str, kind: &DataType, depth: usize) -> Result<Self, Failure> {
        if depth > DEEPEST {
            return failure(E_UNSUPPORTED, format!("{path} nests deeper than {DEEPEST} levels"));
        }
        let inner = match kind {
            DataType::Struct(fields) => return Self::of_fields(path, fields, depth),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::Map(item, _) => vec![Self::of_type(path, item.data_type(), depth + 1)?],
            DataType::Dictionary(_, value) => vec![Self::of_type(path, value, depth + 1)?],
            DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime)
            | DataType::Interval(IntervalUnit::MonthDayNano)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
            | DataType::Union(..)
            | DataType::RunEndEncoded(..) => {
                return failure(E_UNSUPPORTED, format!("{path} holds {kind}, which is not read"));
            }
            _ => Vec::new(),
        };
        Ok(Self { inner, ..Self::default() })
    }
}

/// Keeps what values point to until it is cleared.
#[derive(Default)]
pub struct Arena {
    texts: Vec<String>,
    items: Vec<Vec<Value>>,
    keys: Vec<Vec<Str>>,
}

impl Arena {
    pub fn clear(&mut self) {
        self.texts.clear();
        self.items.clear();
        self.keys.clear();
    }
    fn text(&mut self, text: String) -> Value {
        let value = Value::text(&text);
        self.texts.push(text);
        value
    }
    fn list(&mut self, items: Vec<Value>) -> Value {
        let value = Value::list(&items);
        self.items.push(items);
        value
    }
    fn map(&mut self, keys: Vec<Str>, items: Vec<Value>) -> Value {
        let value = Value::map(&keys, &items);
        self.keys.push(keys);
        self.items.push(items);
        value
    }
}

/// Row `row` of a batch. Valid while the batch, the shape and the arena's content last.
pub fn record(
    batch: &RecordBatch,
    row: usize,
    shape: &Shape,
    arena: &mut Arena,
) -> Result<Value, Failure> {
    fields(batch.columns(), row, shape, arena)
}

fn fields(
    columns: &[ArrayRef],
    row: usize,
    shape: &Shape,
    arena: &mut Arena,
) -> Result<Value, Failure> {
    let mut items = Vec::with_capacity(columns.len());
    for (column, inner) in columns.iter().zip(&shape.inner) {
        items.push(cell(column.as_ref(), row, inner, arena)?);
    }
    let mut made = arena.list(items);
    made.kind = crate::abi::MAP;
    made.keys = shape.keys.as_ptr();
    Ok(made)
}

fn native<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn cell(array: &dyn Array, row: usize, shape: &Shape, arena: &mut Arena) -> Result<Value, Failure> {
    if array.is_null(row) {
        return Ok(Value::NULL);
    }
    Ok(match array.data_type() {
        DataType::Null => Value::NULL,
        DataType::Boolean => Value::boolean(array.as_boolean().value(row)),
        DataType::Int8 => Value::integer(native::<Int8Type>(array, row).into()),
        DataType::Int16 => Value::integer(native::<Int16Type>(array, row).into()),
        DataType::Int32 => Value::integer(native::<Int32Type>(array, row).into()),
        DataType::Int64 => Value::integer(native::<Int64Type>(array, row)),
        DataType::UInt8 => Value::integer(native::<UInt8Type>(array, row).into()),
        DataType::UInt16 => Value::integer(native::<UInt16Type>(array, row).into()),
        DataType::UInt32 => Value::integer(native::<UInt32Type>(array, row).into()),
        DataType::UInt64 => {
            // Beyond 63 bits a float, as in JSON.
            let value = native::<UInt64Type>(array, row);
            i64::try_from(value).map_or_else(|_| Value::number(value as f64), Value::integer)
        }
        DataType::Float16 => Value::number(native::<Float16Type>(array, row).to_f64()),
        DataType::Float32 => Value::number(native::<Float32Type>(array, row).into()),
        DataType::Float64 => Value::number(native::<Float64Type>(array, row)),
        DataType::Utf8 => Value::text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::text(array.as_string_view().value(row)),
        DataType::Binary => Value::bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Value::bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Value::bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Value::bytes(array.as_fixed_size_binary().value(row)),
        DataType::Decimal32(..) => {
            arena.text(array.as_primitive::<Decimal32Type>().value_as_string(row))
        }
        DataType::Decimal64(..) => {
            arena.text(array.as_primitive::<Decimal64Type>().value_as_string(row))
        }
        DataType::Decimal128(..) => {
            arena.text(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Decimal256(..) => {
            arena.text(array.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..) => arena.text(time(array, row)?),
        DataType::Duration(_) => Value::integer(ticks(array, row)),
        DataType::Struct(_) => fields(array.as_struct().columns(), row, shape, arena)?,
        DataType::List(_) => list(&array.as_list::<i32>().value(row), shape, arena)?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row), shape, arena)?,
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row), shape, arena)?,
        DataType::Map(..) => map(array, row, shape, arena)?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = cell(dictionary.keys(), row, &Shape::default(), arena)?.integer as usize;
            cell(dictionary.values().as_ref(), key, &shape.inner[0], arena)?
        }
        kind => return failure(E_UNSUPPORTED, format!("a cell of {kind}, which is not read")),
    })
}

fn list(items: &ArrayRef, shape: &Shape, arena: &mut Arena) -> Result<Value, Failure> {
    let mut made = Vec::with_capacity(items.len());
    for i in 0..items.len() {
        made.push(cell(items.as_ref(), i, &shape.inner[0], arena)?);
    }
    Ok(arena.list(made))
}

/// A map with string keys is a MAP, of two equal keys the last value counts; any other is a LIST of {key, value}.
fn map(array: &dyn Array, row: usize, shape: &Shape, arena: &mut Arena) -> Result<Value, Failure> {
    let entries = array.as_map().value(row);
    let inner = &shape.inner[0];
    let columns = entries.columns();
    let texts = matches!(columns[0].data_type(), DataType::Utf8 | DataType::LargeUtf8);
    if !texts {
        let mut made = Vec::with_capacity(entries.len());
        for i in 0..entries.len() {
            made.push(fields(columns, i, inner, arena)?);
        }
        return Ok(arena.list(made));
    }
    let (mut keys, mut items) = (Vec::<Str>::new(), Vec::new());
    let mut names = std::collections::HashMap::new();
    for i in 0..entries.len() {
        let key = match columns[0].data_type() {
            DataType::Utf8 => columns[0].as_string::<i32>().value(i),
            _ => columns[0].as_string::<i64>().value(i),
        };
        let value = cell(columns[1].as_ref(), i, &inner.inner[1], arena)?;
        let at = *names.entry(key).or_insert(items.len());
        if at < items.len() {
            items[at] = value;
            continue;
        }
        keys.push(Str::of(key.as_bytes()));
        items.push(value);
    }
    Ok(arena.map(keys, items))
}

/// The integer behind a date, a time or a duration.
fn ticks(array: &dyn Array, row: usize) -> i64 {
    use TimeUnit::*;
    match array.data_type() {
        DataType::Date32 => native::<Date32Type>(array, row).into(),
        DataType::Date64 => native::<Date64Type>(array, row),
        DataType::Time32(Second) => native::<Time32SecondType>(array, row).into(),
        DataType::Time32(_) => native::<Time32MillisecondType>(array, row).into(),
        DataType::Time64(Microsecond) => native::<Time64MicrosecondType>(array, row),
        DataType::Time64(_) => native::<Time64NanosecondType>(array, row),
        DataType::Timestamp(Second, _) => native::<TimestampSecondType>(array, row),
        DataType::Timestamp(Millisecond, _) => native::<TimestampMillisecondType>(array, row),
        DataType::Timestamp(Microsecond, _) => native::<TimestampMicrosecondType>(array, row),
        DataType::Timestamp(Nanosecond, _) => native::<TimestampNanosecondType>(array, row),
        DataType::Duration(Second) => native::<DurationSecondType>(array, row),
        DataType::Duration(Millisecond) => native::<DurationMillisecondType>(array, row),
        DataType::Duration(Microsecond) => native::<DurationMicrosecondType>(array, row),
        _ => native::<DurationNanosecondType>(array, row),
    }
}

fn time(array: &dyn Array, row: usize) -> Result<String, Failure> {
    let per_second = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let ticks = ticks(array, row);
    match array.data_type() {
        DataType::Date32 => Ok(times::date(ticks)),
        DataType::Date64 => Ok(times::date(ticks.div_euclid(86_400_000))),
        DataType::Timestamp(unit, zone) => times::instant(ticks, per_second(unit), zone.is_some()),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            times::time_of_day(ticks, per_second(unit))
        }
        kind => failure(E_UNSUPPORTED, format!("{kind} is no time")),
    }
}
