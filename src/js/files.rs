//! Files of a container, as JavaScript has them.

use std::time::Duration;

use bytes::Bytes;
use napi::{
    bindgen_prelude::{Buffer, Object},
    Env, Result,
};
use napi_derive::napi;

use super::{call::NativeCall, container::NativeContainer, failure, promise::promise};
use crate::{
    runner::{files::Piece, glob::Glob},
    sandbox::{Bounds, Found},
};

/// See [`Piece`].
#[napi(object)]
pub struct NativePiece {
    pub path: String,
    pub temporary: String,
    pub offset: f64,
    pub data: Buffer,
    pub mode: Option<u32>,
}

impl From<NativePiece> for Piece {
    fn from(piece: NativePiece) -> Self {
        let NativePiece { path, temporary, offset, data, mode } = piece;
        let data = Bytes::copy_from_slice(&data);
        Self { path, temporary, offset: offset as u64, data, mode }
    }
}

#[napi(object)]
pub struct NativeFile {
    pub path: String,
    pub data: Buffer,
}

/// See [`Found`].
#[napi(object)]
pub struct NativeFound {
    pub files: Vec<NativeFile>,
    /// Failures.
    pub faults: Vec<String>,
}

impl From<Found> for NativeFound {
    fn from(Found { files, faults }: Found) -> Self {
        let native = |(path, data): (_, Vec<u8>)| NativeFile { path, data: data.into() };
        Self {
            files: files.into_iter().map(native).collect(),
            faults: faults.iter().map(failure::text).collect(),
        }
    }
}

/// What is wrong with a pattern for files, as a failure; `null`: nothing.
// In a `cargo test` nothing registers it.
#[cfg_attr(test, allow(dead_code))]
#[napi(catch_unwind)]
pub fn glob_fault(pattern: String) -> Option<String> {
    failure::or_null(Glob::new(&pattern).map(drop))
}

/// 0: any time.
fn bounds(timeout_ms: f64, line: &NativeCall) -> Bounds {
    let deadline = (timeout_ms > 0.0).then(|| Duration::from_millis(timeout_ms as u64));
    Bounds { deadline, cancel: line.token() }
}

#[napi]
impl NativeContainer {
    /// Resolves with nothing, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn write_files<'env>(
        &self,
        env: &'env Env,
        pieces: Vec<NativePiece>,
        timeout_ms: f64,
        line: &NativeCall,
    ) -> Result<Object<'env>> {
        let sandbox = self.sandbox();
        let bounds = bounds(timeout_ms, line);
        let pieces = pieces.into_iter().map(Piece::from).collect();
        promise(env, async move { failure::or_null(sandbox.write_files(pieces, bounds).await) })
    }

    /// Resolves with nothing, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn discard_file<'env>(
        &self,
        env: &'env Env,
        path: String,
        temporary: String,
        timeout_ms: f64,
        line: &NativeCall,
    ) -> Result<Object<'env>> {
        let sandbox = self.sandbox();
        let bounds = bounds(timeout_ms, line);
        promise(env, async move {
            failure::or_null(sandbox.discard_file(path, temporary, bounds).await)
        })
    }

    /// Resolves with what the file holds, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer | string>")]
    pub fn read_file<'env>(
        &self,
        env: &'env Env,
        path: String,
        max_bytes: f64,
        timeout_ms: f64,
        line: &NativeCall,
    ) -> Result<Object<'env>> {
        let sandbox = self.sandbox();
        let bounds = bounds(timeout_ms, line);
        promise(env, async move {
            let data = sandbox.read_file(path, max_bytes as u64, bounds).await;
            failure::or_value(data.map(Buffer::from))
        })
    }

    /// Resolves with the files and why there are not more, or with a failure.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeFound | string>")]
    pub fn read_files<'env>(
        &self,
        env: &'env Env,
        patterns: Vec<String>,
        max_files: f64,
        max_bytes: f64,
        timeout_ms: f64,
        line: &NativeCall,
    ) -> Result<Object<'env>> {
        let sandbox = self.sandbox();
        let bounds = bounds(timeout_ms, line);
        promise(env, async move {
            let max_files = max_files as usize;
            let files = sandbox.read_files(&patterns, max_files, max_bytes as u64, bounds).await;
            failure::or_value(files.map(NativeFound::from))
        })
    }
}
