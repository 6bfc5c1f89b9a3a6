//! How a failure crosses over.

use napi::bindgen_prelude::Either;

use crate::error::{Error, Result};

/// The failure as JSON text: the fields of [`Error`].
pub fn text(error: &Error) -> String {
    // Serializing it can't fail: it has only strings and numbers.
    serde_json::to_string(error).unwrap_or_default()
}

/// `null` for a success without a value.
pub fn or_null(result: Result<()>) -> Option<String> {
    result.err().as_ref().map(text)
}

/// A success's value, or the failure.
pub fn or_value<T>(result: Result<T>) -> Either<T, String> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(text(&error)),
    }
}
