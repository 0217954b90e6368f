// SPDX-License-Identifier: Apache-2.0
//! A file without a cursor: every read names its place, so threads share it freely.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::abi::{failure, Failure, E_INVALID, E_IO, E_NOT_FOUND};

const PIECE: usize = 64 << 10;

#[derive(Clone)]
pub struct SharedFile {
    file: Arc<File>,
    size: u64,
}

impl SharedFile {
    pub fn open(path: &str) -> std::result::Result<Self, Failure> {
        let (file, facts) = match File::open(path).and_then(|f| f.metadata().map(|m| (f, m))) {
            Ok(opened) => opened,
            Err(error) => {
                let missing = error.kind() == io::ErrorKind::NotFound;
                let code = if missing { E_NOT_FOUND } else { E_IO };
                return failure(code, format!("{path}: cannot open it: {error}"));
            }
        };
        if !facts.is_file() {
            return failure(E_INVALID, format!("{path}: expected a regular file"));
        }
        Ok(Self { file: Arc::new(file), size: facts.len() })
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for SharedFile {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(io::BufReader::with_capacity(PIECE, From { file: self.file.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Before anything is allocated: a damaged file may ask for any number of bytes.
        if start.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(ParquetError::EOF(format!(
                "expected {length} bytes at offset {start}, but the file ends at {}",
                self.size
            )));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start)?;
        Ok(buffer.into())
    }
}

/// Reads on from one place of the file.
pub struct From {
    file: Arc<File>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.file.read_at(buffer, self.at)?;
        self.at += size as u64;
        Ok(size)
    }
}
