// SPDX-License-Identifier: Apache-2.0
//! Rows by index. Each row group is cut into batches of a bounded size; a few decoded batches are kept, and a few decoders that
//! stand right behind a batch, so that reading in order decodes every page once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::Fields;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::{PageIndexPolicy, ParquetStatisticsPolicy, RowGroupMetaData};

use crate::abi::{failure, Failure, E_INVALID};
use crate::file::SharedFile;

const KEPT_BATCHES: usize = 8;
const KEPT_DECODERS: usize = 4;
const MOST_ROWS: usize = 1024;
/// What a batch may take, by the sizes that the file states for its columns before compression.
const BATCH_BYTES: u64 = 4 << 20;

struct Group {
    first: u64,
    rows: usize,
    rows_per_batch: usize,
}

#[derive(Clone, Copy, PartialEq)]
struct Place {
    group: usize,
    batch: usize,
}

#[derive(Default)]
struct Kept {
    batches: VecDeque<(Place, RecordBatch)>,
    decoders: VecDeque<(Place, ParquetRecordBatchReader)>,
}

pub struct Batches {
    path: String,
    file: SharedFile,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    groups: Vec<Group>,
    rows: u64,
    kept: Mutex<Kept>,
}

impl Batches {
    /// `columns` of the top level; empty: all.
    pub fn open(path: &str, columns: &[String]) -> Result<Self, Failure> {
        let file = SharedFile::open(path)?;
        let options = ArrowReaderOptions::new()
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let metadata =
            ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(path, &error))?;
        let mask = projection(path, &metadata, columns)?;
        let mut groups = Vec::new();
        let mut rows = 0;
        for group in metadata.metadata().row_groups() {
            let group = measure(path, group, &mask, rows)?;
            rows += group.rows as u64;
            groups.push(group);
        }
        let (path, kept) = (path.to_owned(), Mutex::default());
        Ok(Self { path, file, metadata, mask, groups, rows, kept })
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns that are read.
    pub fn fields(&self) -> Result<Fields, Failure> {
        let builder = self.builder();
        let schema = builder.with_projection(self.mask.clone()).with_row_groups(Vec::new()).build();
        Ok(arrow_array::RecordBatchReader::schema(&schema.map_err(|e| damaged(&self.path, &e))?)
            .fields()
            .clone())
    }

    /// The batch that holds `row`, which must be below `rows()`, and the row's place in it.
    pub fn at(&self, row: u64) -> Result<(RecordBatch, usize), Failure> {
        let group = self.groups.partition_point(|group| group.first + group.rows as u64 <= row);
        let within = (row - self.groups[group].first) as usize;
        let step = self.groups[group].rows_per_batch;
        let place = Place { group, batch: within / step };
        Ok((self.batch(place)?, within % step))
    }

    fn batch(&self, place: Place) -> Result<RecordBatch, Failure> {
        let decoder = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = kept.batches.iter().position(|(known, _)| *known == place) {
                let found = kept.batches.remove(at).expect("a position that was just found");
                kept.batches.push_back(found.clone());
                return Ok(found.1);
            }
            let at = kept.decoders.iter().position(|(next, _)| *next == place);
            at.and_then(|at| kept.decoders.remove(at)).map(|(_, decoder)| decoder)
        };
        // Decoding holds no lock: another thread may decode the same batch, which does no harm.
        let mut decoder = match decoder {
            Some(decoder) => decoder,
            None => self.decoder(place)?,
        };
        let group = &self.groups[place.group];
        let expected = group.rows_per_batch.min(group.rows - place.batch * group.rows_per_batch);
        let batch = match decoder.next() {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => return Err(damaged(&self.path, &error)),
            None => RecordBatch::new_empty(self.metadata.schema().clone()),
        };
        if batch.num_rows() != expected {
            let (group, rows) = (place.group, group.rows);
            let why = format!("row group {group} says that it has {rows} rows, and has fewer");
            return failure(E_INVALID, format!("{}: {why}", self.path));
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.batches.len() == KEPT_BATCHES {
            kept.batches.pop_front();
        }
        kept.batches.push_back((place, batch.clone()));
        if (place.batch + 1) * group.rows_per_batch < group.rows {
            if kept.decoders.len() == KEPT_DECODERS {
                kept.decoders.pop_front();
            }
            kept.decoders.push_back((Place { batch: place.batch + 1, ..place }, decoder));
        }
        Ok(batch)
    }

    fn builder(&self) -> ParquetRecordBatchReaderBuilder<SharedFile> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
    }

    fn decoder(&self, place: Place) -> Result<ParquetRecordBatchReader, Failure> {
        let step = self.groups[place.group].rows_per_batch;
        self.builder()
            .with_projection(self.mask.clone())
            .with_row_groups(vec![place.group])
            .with_batch_size(step)
            .with_offset(place.batch * step)
            .build()
            .map_err(|error| damaged(&self.path, &error))
    }
}

fn damaged(path: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure { code: E_INVALID, why: format!("{path}: {error}") }
}

fn measure(
    path: &str,
    group: &RowGroupMetaData,
    mask: &ProjectionMask,
    first: u64,
) -> Result<Group, Failure> {
    let Ok(rows) = usize::try_from(group.num_rows()) else {
        let why = format!("a row group says that it has {} rows", group.num_rows());
        return failure(E_INVALID, format!("{path}: {why}"));
    };
    if first.checked_add(rows as u64).is_none_or(|end| end > i64::MAX as u64) {
        return failure(E_INVALID, format!("{path}: more rows than 63 bits count"));
    }
    let leaves = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
    let bytes = leaves.fold(0u64, |sum, (_, column)| {
        sum.saturating_add(u64::try_from(column.uncompressed_size()).unwrap_or(0))
    });
    let per_row = (bytes / rows.max(1) as u64).max(1);
    let rows_per_batch = (BATCH_BYTES / per_row).clamp(1, MOST_ROWS as u64) as usize;
    Ok(Group { first, rows, rows_per_batch })
}

fn projection(
    path: &str,
    metadata: &ArrowReaderMetadata,
    columns: &[String],
) -> Result<ProjectionMask, Failure> {
    let schema = metadata.parquet_schema();
    let names: Vec<&str> =
        schema.root_schema().get_fields().iter().map(|field| field.name()).collect();
    if let Some(name) = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)) {
        return failure(E_INVALID, format!("{path}: two columns are named `{}`", name.1));
    }
    if columns.is_empty() {
        return Ok(ProjectionMask::all());
    }
    let mut roots = Vec::new();
    for column in columns {
        match names.iter().position(|name| name == column) {
            Some(at) => roots.push(at),
            None => {
                let known = names.join(", ");
                let why = format!("option `columns`: no column `{column}`; there are {known}");
                return failure(E_INVALID, format!("{path}: {why}"));
            }
        }
    }
    Ok(ProjectionMask::roots(schema, roots))
}
